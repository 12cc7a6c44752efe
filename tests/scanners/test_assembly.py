"""Which environments the scanners read."""

from pathlib import Path

from scanners.assembly import environments_in
from tools import ROOT


def test_an_environment_replaces_the_example_that_it_was_copied_from(tmp_path: Path) -> None:
    example = (ROOT / "examples" / "prod.toml").read_text()
    (tmp_path / "prod.toml").write_text(example.replace('region = "eu-west-1"', 'region = "eu-west-2"', 1))

    found = environments_in([tmp_path, ROOT / "examples"])

    assert {environment.name: environment.region for environment in found} == {"prod": "eu-west-2", "dev": "eu-west-1"}
