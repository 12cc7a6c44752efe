"""The table of AWS Regions in settings/regions.py."""

import subprocess
import sys

from aws_cdk.region_info import Fact, FactName

from settings.regions import PARTITIONS
from tools import ROOT


def test_the_table_has_the_same_regions_partitions_and_domains_as_cdk() -> None:
    of_cdk = {
        region: (Fact.find(region, FactName.PARTITION), Fact.find(region, FactName.DOMAIN_SUFFIX))
        for region in Fact.regions
    }

    assert {region: (partition.name, partition.domain) for region, partition in PARTITIONS.items()} == of_cdk


def test_settings_are_read_without_loading_cdk() -> None:
    check = "import sys, settings.files; print(sys.modules.keys() & {'aws_cdk', 'jsii'})"

    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
