"""The bill of materials names every package that the constraints name, with its version and its licence."""

import json
import subprocess
import sys
import sysconfig
from importlib.metadata import distributions

from infra.services.service import ROOT
from tests.infra.declared import pins


def test_every_package_is_in_the_bill_of_materials(tmp_path):
    out = tmp_path / "sbom.json"
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "-o", str(out)]
    subprocess.run([*command, sys.prefix], cwd=ROOT, check=True, capture_output=True)
    listed = {each["name"].lower().replace("_", "-"): each for each in json.loads(out.read_bytes())["components"]}
    # What is installed, rather than what this process can import: setuptools, once imported, adds copies of its own.
    installed = distributions(path=[sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    here = {each.name.lower().replace("_", "-") for each in installed}
    assert here - {"mapmerge"} <= listed.keys()
    pinned = {name: version for name, version in pins().items() if name in listed}
    assert len(pinned) > 200
    assert {name: listed[name]["version"].partition("+")[0] for name in pinned} == pinned
    assert sum("licenses" in each for each in listed.values()) > 0.9 * len(listed)
