"""The AWS Regions, with the partition and the domain of each Region.

The table is checked in because `aws_cdk.region_info` takes more than a second to import.
tests/settings/test_regions.py compares it with the data of the pinned CDK.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Partition:
    """A group of Regions with the same start of ARNs and the same domain."""

    name: str  # the second part of the ARNs, such as aws or aws-cn
    domain: str  # the end of the host names of AWS services


_REGIONS_BY_PARTITION = {
    Partition("aws", "amazonaws.com"): [
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ],
    Partition("aws-cn", "amazonaws.com.cn"): ["cn-north-1", "cn-northwest-1"],
    Partition("aws-eusc", "amazonaws.eu"): ["eusc-de-east-1"],
    Partition("aws-iso", "c2s.ic.gov"): ["us-iso-east-1", "us-iso-west-1"],
    Partition("aws-iso-b", "sc2s.sgov.gov"): ["us-isob-east-1", "us-isob-west-1"],
    Partition("aws-iso-e", "cloud.adc-e.uk"): ["eu-isoe-west-1"],
    Partition("aws-iso-f", "csp.hci.ic.gov"): ["us-isof-east-1", "us-isof-south-1"],
    Partition("aws-us-gov", "amazonaws.com"): ["us-gov-east-1", "us-gov-west-1"],
}

PARTITIONS: dict[str, Partition] = {
    region: partition for partition, regions in _REGIONS_BY_PARTITION.items() for region in regions
}
"""The partition of each Region. The key is the code of the Region."""
