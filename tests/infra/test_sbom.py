"""The bill of materials names every package that is installed, with its version and its licence."""

import json
import subprocess
from importlib.metadata import distributions

import pytest

from infra.services.service import ROOT
from tests.infra.declared import pins


@pytest.mark.slow
def test_every_package_is_in_the_bill_of_materials():
    subprocess.run(["make", "sbom"], cwd=ROOT, check=True, capture_output=True)
    components = json.loads((ROOT / "build" / "sbom.json").read_bytes())["components"]
    listed = {each["name"].lower().replace("_", "-"): each for each in components}
    installed = distributions(path=[str(each) for each in (ROOT / ".venv").glob("lib/python3*/site-packages")])
    here = {each.name.lower().replace("_", "-") for each in installed}
    assert len(here) > 150
    assert here - {"mapmerge"} <= listed.keys()
    pinned = {name: version for name, version in pins().items() if name in listed}
    assert len(pinned) > 200
    assert {name: listed[name]["version"].partition("+")[0] for name in pinned} == pinned
    assert sum("licenses" in each for each in listed.values()) > 0.9 * len(listed)
