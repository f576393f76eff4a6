"""What the files of `infra/` say, read as the programs read them that they are for."""

import re
from pathlib import Path

import compose_spec
import yaml

ROOT = Path(__file__).parents[2]
DOCKER, KUBERNETES, TERRAFORM = (ROOT / "infra" / name for name in ("docker", "kubernetes", "terraform"))
OURS = re.compile(r"mapmerge:(\d+\.\d+\.\d+)(-cuda)?")


def pins():
    """Return the version of each package in `constraints.txt`."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def settings():
    """Return the variables of the example of a `.env`."""
    lines = (DOCKER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def compose(name="compose.yaml"):
    """Return a compose file with its variables filled in, checked against the specification."""
    text = re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: settings()[found[1]], (DOCKER / name).read_text())
    options = compose_spec.PyOptions(apply_merge=True)
    parsed = options.from_yaml(text)
    parsed.validate()
    return yaml.safe_load(text)


def manifests(*names):
    """Return the objects in some files of `infra/kubernetes`, by default in all of them."""
    paths = [KUBERNETES / name for name in names] or sorted(KUBERNETES.glob("*.yaml"))
    return [manifest for path in paths for manifest in yaml.safe_load_all(path.read_text())]


def one(kind, name=None):
    """Return the object of a kind, where there are several the one of that name."""
    (found,) = (each for each in manifests() if each["kind"] == kind and name in (None, each["metadata"].get("name")))
    return found


def ray_clusters():
    """Return the Ray clusters: the one that stays, and that of a job."""
    return [one("RayCluster")["spec"], one("RayJob")["spec"]["rayClusterSpec"]]


def pod_templates():
    """Return the template of every pod."""
    templates = [each["spec"]["template"] for each in manifests() if each["kind"] in ("Deployment", "Job")]
    groups = [group for spec in ray_clusters() for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
    return templates + [group["template"] for group in groups]


def containers():
    """Return every container of every pod."""
    return [container for template in pod_templates() for container in template["spec"]["containers"]]
