"""The table of AWS Regions in settings/regions.py."""

import subprocess
import sys

import pytest
from aws_cdk.region_info import Fact, FactName

from settings.regions import PARTITIONS
from settings.registries import Registry
from tools import ROOT


def test_the_table_has_the_same_regions_partitions_and_domains_as_cdk() -> None:
    of_cdk = {
        region: (Fact.find(region, FactName.PARTITION), Fact.find(region, FactName.DOMAIN_SUFFIX))
        for region in Fact.regions
    }

    assert {region: (partition.name, partition.domain) for region, partition in PARTITIONS.items()} == of_cdk


@pytest.mark.parametrize("region", PARTITIONS)
def test_the_names_of_a_registry_have_the_partition_and_the_domain_of_the_region(region: str) -> None:
    registry, partition = Registry("123456789012", region), PARTITIONS[region]

    assert registry.host == f"123456789012.dkr.ecr.{region}.{partition.domain}"
    assert registry.repository_arn("a/*") == f"arn:{partition.name}:ecr:{region}:123456789012:repository/a/*"


def test_settings_are_read_without_loading_cdk() -> None:
    check = "import sys, settings.files; print(sys.modules.keys() & {'aws_cdk', 'jsii'})"

    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
