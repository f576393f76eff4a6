"""What several floors test with: two families of models, one Prefect, one Ray, the command line and a finished run."""

import atexit
import contextlib
import functools
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.s3_server import s3, s3_server  # noqa: F401  # fixtures

# Prefect and Ray read these when they are imported, which collecting the tests already does.
_HOME = Path(tempfile.mkdtemp(prefix="mapmerge-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    MAPMERGE_CACHE=str(_HOME / "cache"),
    PREFECT_HOME=str(_HOME / "prefect"),
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_LEVEL="CRITICAL",
    RAY_USAGE_STATS_ENABLED="0",
    OMP_NUM_THREADS="1",
)
os.environ.pop("PREFECT_API_URL", None)

Study = dict[str, Any]
"""What a study file says."""


def _write_study(folder: Path, study: Study) -> Path:
    path = folder / "study.yaml"
    plain = json.loads(json.dumps(study))  # nothing is there twice, or YAML would write an alias
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def write_study() -> Callable[[Path, Study], Path]:
    """Write a study into a folder as `study.yaml`."""
    return _write_study


@pytest.fixture(scope="session")
def digits_family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real, small study: an encoder for digits, one expert for digits on their head and one for others.

    Names are not in alphabetical order, so that nobody may rely on it; one metric is maximised, the other minimised.
    """
    import torch
    from safetensors.torch import save_file
    from torch.nn import functional

    from mapmerge.evaluators.item_sets import write_item_set
    from mapmerge.zoo.sources import digits
    from mapmerge.zoo.vision import encoder

    folder = tmp_path_factory.mktemp("digits")
    torch.manual_seed(0)
    images = digits()
    inputs, labels = torch.from_numpy(images.pixels).unsqueeze(1), torch.from_numpy(images.labels)
    views = {"upright": inputs, "reversed": inputs.flip(2)}
    heads = {name: torch.randn(10, 32) / 8 for name in views}

    def train(model: torch.nn.Module, names: list[str], rows: slice, steps: int) -> None:
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        pool = torch.arange(len(labels))[rows]
        for _ in range(steps):
            optimizer.zero_grad()
            for name in names:
                chosen = pool[torch.randint(len(pool), (64,))]
                logits = model(views[name][chosen].float() / 255) @ heads[name].T
                functional.cross_entropy(logits, labels[chosen]).backward()
            optimizer.step()

    base = encoder(8)
    train(base, list(views), slice(0, 200), steps=25)
    for name in views:
        expert = encoder(8)
        expert.load_state_dict(base.state_dict())
        train(expert, [name], slice(200, 1200), steps=40)
        (folder / name).mkdir()
        save_file(expert.state_dict(), folder / name / "model.safetensors")
        save_file({"weight": heads[name]}, folder / f"{name}-head.safetensors")
        for split, rows in (("search", slice(1200, 1400)), ("held_out", slice(1400, 1600))):
            write_item_set(folder / f"{name}-{split}.safetensors", views[name][rows], labels[rows])
    (folder / "base").mkdir()
    save_file(base.state_dict(), folder / "base" / "model.safetensors")

    objectives = [
        {
            "name": name,
            "evaluator": "classification",
            "search": f"{name}-search.safetensors",
            "held_out": f"{name}-held_out.safetensors",
            "options": {"metric": metric, "head": f"{name}-head.safetensors"},
        }
        for name, metric in (("upright", "accuracy"), ("reversed", "cross_entropy"))
    ]
    _write_study(
        folder,
        {
            "name": "Digits.2",
            "base": "base",
            "architecture": {"build": "mapmerge.zoo.vision:encoder", "options": {"width": 8}},
            "experts": [{"name": name, "checkpoint": name} for name in views],
            "objectives": objectives,
            "method": "map",
            "budget": {"evaluations": 12, "front": 8},
            "baselines": {"scalars": [0.3, 0.5, 0.8]},
            "compute": {"executor": "serial"},
        },
    )
    return folder


@pytest.fixture
def own_family(digits_family: Path, tmp_path: Path) -> Path:
    """A copy of the family that a test may spoil."""
    return Path(shutil.copytree(digits_family, tmp_path / "family"))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, empty."""
    monkeypatch.setenv("MAPMERGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def probe_plugin() -> None:
    """Install the plug-in of `tests/plugin` for this process and those that it starts."""
    folder = str(Path(__file__).parent / "plugin")
    sys.path.append(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), folder)))


@pytest.fixture(scope="session")
def write_probe_family(probe_plugin: None) -> Callable[..., Path]:
    """Write a family whose models are arithmetic, and its study; returns the study file.

    `write_probe_family(folder, objectives={name: options}, **sections)`: options are those of `tests/plugin`, sections
    are added to the study.
    """

    def write(
        folder: Path,
        *,
        objectives: Mapping[str, Mapping[str, Any]],
        k: int = 2,
        items: int = 64,
        **sections: Mapping[str, Any],
    ) -> Path:
        import torch
        from safetensors.torch import save_file

        folder.mkdir()
        weights = {"base": torch.ones(1, k)} | {
            f"e{index}": torch.ones(1, k) + torch.eye(k)[index : index + 1] for index in range(k)
        }
        for name, weight in weights.items():
            save_file({"weight": weight}, folder / f"{name}.safetensors")
        for split in ("search", "held_out"):
            (folder / f"{split}.json").write_text(json.dumps({"name": split, "items": items}))
        options = {"in_features": k, "out_features": 1, "bias": False}
        splits = {"search": "search.json", "held_out": "held_out.json"}
        study = {
            "name": "probe",
            "base": "base.safetensors",
            "architecture": {"build": "torch.nn:Linear", "options": options},
            "experts": [{"name": name, "checkpoint": f"{name}.safetensors"} for name in weights if name != "base"],
            "objectives": [
                {"name": name, "evaluator": "probe", **splits, "options": dict(asked)}
                for name, asked in objectives.items()
            ],
            "method": "map",
            "compute": {"executor": "serial"},
            "baselines": {"scalars": [0.25, 0.75]},
            "budget": {"front": 6},
        }
        for section, values in sections.items():
            study[section] = {**study.get(section, {}), **values}
        return _write_study(folder, study)

    return write


@pytest.fixture
def probe_family(write_probe_family: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write such a family for one test: `probe_family(objectives={name: options}, **sections)`."""
    return functools.partial(write_probe_family, tmp_path / "probe")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One Prefect server and database for the whole session, without heartbeats."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("PREFECT_API_URL", PREFECT_API_URL.value())  # for the processes that tests start
        yield


@pytest.fixture(scope="session")
def local_ray(probe_plugin: None) -> Iterator[None]:
    """One Ray with two CPUs for the whole session."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
    yield
    ray.shutdown()


@dataclass(frozen=True)
class Said:
    """What a command gave: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout; anything else there is an error."""
        return json.loads(self.out)


@pytest.fixture(scope="session")
def mapmerge() -> Callable[..., Said]:
    """Run a command in this process: `mapmerge("front", run)`."""
    from flows.cli import main

    def call(*arguments: object) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as stop:  # how argparse ends
                code = int(stop.code or 0)
        return Said(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture(scope="session")
def start() -> Callable[..., "subprocess.Popen[str]"]:
    """Start a command in a process of its own: `start("run", study, env=..., cwd=...)`."""

    def popen(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
        # Tests in the background of a shell inherit an ignored Ctrl-C; a person's terminal does not ignore it.
        heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        command = [sys.executable, "-c", f"{heed}; import sys; from flows.cli import main; sys.exit(main())"]
        words = [str(argument) for argument in arguments]
        return subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    return popen


@dataclass(frozen=True)
class Finished:
    """A complete run of the digits family, to be read by many tests and changed by none."""

    output: Path
    said: Said

    @property
    def result(self) -> Any:
        return self.said.json

    @property
    def uri(self) -> str:
        return str(self.result["run_uri"])

    @property
    def folder(self) -> Path:
        return self.output / "runs" / "first"


@pytest.fixture(scope="session")
def digits_run(
    mapmerge: Callable[..., Said], digits_family: Path, prefect_server: None, tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    """The digits family's run with id `first`, by the serial executor."""
    output = tmp_path_factory.mktemp("output")
    said = mapmerge("run", digits_family / "study.yaml", "--output", output, "--run-id", "first", "--json")
    assert said.code == 0, said.err
    return Finished(output, said)
