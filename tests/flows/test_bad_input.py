"""Bad input is a clear error with exit code 2: nothing is measured, nothing is lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from mapmerge.evaluators.item_sets import write_item_set


def weights(name: str, change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    """Spoil the tensors of a checkpoint."""

    def spoil(family: Path) -> None:
        path = family / name / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path)

    return spoil


def bytes_of(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Spoil the bytes of a file."""

    def spoil(family: Path) -> None:
        path = family / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def study(change: Callable[[dict], None]) -> Callable[[Path], None]:
    """Spoil what the study file says."""

    def spoil(family: Path) -> None:
        path = family / "study.yaml"
        said = yaml.safe_load(path.read_text())
        change(said)
        path.write_text(yaml.safe_dump(said, sort_keys=False))

    return spoil


def pickled(family: Path) -> None:
    torch.save({"w": torch.ones(2)}, family / "upright" / "model.safetensors")


def only_a_pickle(family: Path) -> None:
    (family / "upright" / "model.safetensors").rename(family / "upright" / "pytorch_model.bin")


def no_items(family: Path) -> None:
    empty = {"inputs": torch.zeros(0, 1, 28, 28, dtype=torch.uint8), "labels": torch.zeros(0, dtype=torch.int64)}
    save_file(empty, family / "upright-search.safetensors")


def one_class(family: Path) -> None:
    items = load_file(family / "upright-search.safetensors")
    save_file({**items, "labels": torch.full_like(items["labels"], 3)}, family / "upright-search.safetensors")


def overlap(family: Path) -> None:
    search, held_out = (load_file(family / f"upright-{split}.safetensors") for split in ("search", "held_out"))
    inputs = torch.cat([held_out["inputs"], search["inputs"][:2]])
    labels = torch.cat([held_out["labels"], search["labels"][:2]])
    write_item_set(family / "upright-held_out.safetensors", inputs, labels)


def nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors["0.weight"].view(-1)[:3] = torch.nan


def infinite(tensors: dict[str, torch.Tensor]) -> None:
    tensors["0.weight"].view(-1)[0] = torch.inf


def wrong_shape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["0.weight"] = torch.zeros(16, 1, 3, 3)


def wrong_dtype(tensors: dict[str, torch.Tensor]) -> None:
    tensors["0.weight"] = tensors["0.weight"].half()


def missing_tensor(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["0.weight"]


def no_child(tensors: dict[str, torch.Tensor]) -> None:
    for name, tensor in tensors.items():
        tensors[name] = tensor + 10


def like_the_base(family: Path) -> None:
    (family / "upright" / "model.safetensors").write_bytes((family / "base" / "model.safetensors").read_bytes())


def twins(family: Path) -> None:
    (family / "upright" / "model.safetensors").write_bytes((family / "reversed" / "model.safetensors").read_bytes())


def text(addition: str) -> Callable[[Path], None]:
    return bytes_of("study.yaml", lambda data: data + addition.encode())


def nothing(family: Path) -> None:
    """Leave everything as it is; what is wrong is said on the command line."""


CASES: dict[str, tuple[Callable[[Path], object], list[str], list[str]]] = {
    # name: (what is done to the family, arguments, words of the error)
    "unknown key": (text("budgett: {}\n"), [], ["line ", "'budgett'", "did you mean 'budget'?"]),
    "unknown key in a section": (nothing, ["--set", "budget.evaluation=9"], ["did you mean 'evaluations'?"]),
    "key twice": (text("name: again\n"), [], ["line ", "'name' is there twice, first at line 1"]),
    "not YAML": (text("a: [\n"), [], ["study.yaml: not valid YAML"]),
    "value that does not fit": (nothing, ["--set", "budget.front=many"], ["budget.front", "'many'"]),
    "missing study": (lambda family: (family / "study.yaml").unlink(), [], ["study.yaml: no such study file"]),
    "missing checkpoint": (nothing, ["--set", "base=nowhere"], ["nowhere: there is no such checkpoint"]),
    "missing item set": (
        lambda family: (family / "upright-search.safetensors").unlink(),
        [],
        ["upright-search.safetensors: there is no such file"],
    ),
    "missing head": (nothing, ["--set", "objectives.0.options.head=nowhere"], ["nowhere"]),
    "truncated checkpoint": (
        bytes_of("upright/model.safetensors", lambda data: data[:-100]),
        [],
        ["upright/model.safetensors", "truncated"],
    ),
    "empty checkpoint": (bytes_of("base/model.safetensors", lambda data: b""), [], ["base/model.safetensors", "empty"]),
    "NaN": (weights("upright", nan), [], ["'upright'", "3 values are NaN", "0.weight (3)"]),
    "infinite": (weights("base", infinite), [], ["base: 1 values", "0.weight (1)"]),
    "wrong shape": (weights("upright", wrong_shape), [], ["'upright'", "0.weight", "[8, 1, 3, 3]", "[16, 1, 3, 3]"]),
    "wrong dtype": (weights("upright", wrong_dtype), [], ["'upright'", "0.weight", "expected dtype F32", "came F16"]),
    "missing tensor": (weights("upright", missing_tensor), [], ["'upright'", "0.weight"]),
    "not the architecture": (nothing, ["--set", "architecture.options.width=16"], ["0.weight"]),
    "pickle": (pickled, [], ["upright/model.safetensors", "zip archive, as torch.save writes it", "was not opened"]),
    "pickle by name": (only_a_pickle, [], ["'pytorch_model.bin'", "a pickle, which is never opened"]),
    "equal to the base": (like_the_base, [], ["'upright': equals the base"]),
    "two equal experts": (twins, [], ["'upright' and 'reversed': have the same values"]),
    "no child of the base": (weights("upright", no_child), [], ["'upright'", "really fine-tuned from this base?"]),
    "duplicate experts": (
        nothing,
        ["--set", "experts.1.name=upright"],
        ["experts", "'upright'", "more than once"],
    ),
    "duplicate objectives": (nothing, ["--set", "objectives.1.name=upright"], ["objectives", "more than once"]),
    "no such evaluator": (
        nothing,
        ["--set", "objectives.0.evaluator=clasification"],
        ["no evaluator 'clasification'", "did you mean 'classification'?"],
    ),
    "unknown option": (
        nothing,
        ["--set", "objectives.0.options.metrics=accuracy"],
        ["unknown option 'metrics'", "did you mean 'metric'?"],
    ),
    "budget below p": (
        nothing,
        ["--set", "budget.evaluations=5"],
        ["budget.evaluations is 5", "p = (k+1)(k+2)/2 = 6", "give at least 6"],
    ),
    "no items": (no_items, [], ["upright-search.safetensors", "there are no items"]),
    "one class": (one_class, [], ["upright-search.safetensors", "all 200 items are of class 3"]),
    "overlap": (overlap, [], ["'upright': 2 of 202 held-out items also are search items", "200, 201"]),
    "bounds reversed": (
        study(lambda said: said.update(design={"kind": "sobol", "lower": 0.9, "upper": 0.1})),
        [],
        ["lower (0.9) must be below upper (0.1)", "reversed?"],
    ),
    "mass reversed": (nothing, ["--set", "design.mass=[1.6, 0.3]"], ["[1.6, 0.3]", "reversed?"]),
    "a design that determines nothing": (
        study(lambda said: said.update(design={"kind": "sobol", "upper": 1e-9})),
        [],
        ["candidates determine", "of 6 parameters"],
    ),
    "architecture": (nothing, ["--set", "architecture=mapmerge.zoo.vision:encode"], ["has no function 'encode'"]),
    "override": (nothing, ["--set", "budget.front"], ["--set budget.front: expected KEY=VALUE"]),
}

EARLY = {"unknown key", "key twice", "not YAML", "missing study", "duplicate experts", "budget below p"}
"""Found in the study file alone, before anything is imported."""


@pytest.mark.parametrize("case", CASES)
def test_a_plan_finds_it(mapmerge, own_family, case):
    spoil, arguments, words = CASES[case]
    spoil(own_family)
    said = mapmerge("plan", own_family / "study.yaml", *arguments)
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("mapmerge: ")
    for word in words:
        assert word in said.err


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("case", [*sorted(EARLY), "NaN", "pickle", "overlap", "no such evaluator", "bounds reversed"])
def test_a_run_finds_it_before_it_begins(mapmerge, own_family, tmp_path, case):
    spoil, arguments, words = CASES[case]
    spoil(own_family)
    said = mapmerge("run", own_family / "study.yaml", "--output", tmp_path / "out", *arguments, "--json")
    assert said.code == 2
    assert said.out == ""
    for word in words:
        assert word in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["zoo", "build", "vision", "--experts", "33", "--out", "{}/zoo"], "expected 2 to 32 experts"),
        (["zoo", "build", "vision", "--seed", "-1", "--out", "{}/zoo"], "expected a whole number from 0"),
        (["run", "{}/nowhere.yaml"], "nowhere.yaml: no such study file"),
        (["compare", "{}/runs/one"], "there is no run here"),
        *(
            ([*command, "{}/runs/one"], "there is no run here (study.json is missing)")
            for command in (["front"], ["resume"], ["verify"], ["pick", "--knee"], ["front", "--csv"])
        ),
        *(
            ([*command, "{}/nowhere"], "there is no store here (neither runs/ nor evaluations/ holds anything)")
            for command in (["runs"], ["runs", "--json"], ["prune", "--older-than", "7d"])
        ),
        (["runs", "ftp://host/out"], "expected s3://"),
        *(
            (["prune", "{}", "--dry-run", f"--older-than={age}"], f"--older-than '{age}': expected a whole number with")
            for age in ("7", "-7d", "1.5h", "week", "", "7d ", "7 d", "٣d")
        ),
        (["export", "{}/runs/one", "--knee", "--out", "{}/merged"], "there is no run here"),
        (["report", "{}/runs/one", "--out", "{}/report.html"], "there is no run here"),
        (["front", "{}/one"], "expected the URI of a run, <store>/runs/<run id>"),
        (["front", "no-such-run"], "mapmerge-output/runs/no-such-run: there is no run here"),
        (["front", "ftp://host/runs/one"], "ftp://"),
        (["report", "{}/runs/one", "--out", "{}/no/such/folder.html"], "expected a file name in a folder that exists"),
    ],
)
def test_what_is_not_there(mapmerge, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    said = mapmerge(*(argument.format(tmp_path) for argument in arguments))
    assert said.code == 2
    assert words in said.err
    assert said.out == ""
    assert not list(tmp_path.rglob("*"))


def test_a_study_of_another_kind_of_file(mapmerge, tmp_path):
    np.save(tmp_path / "study.npy", np.zeros(3))
    said = mapmerge("plan", tmp_path / "study.npy")
    assert said.code == 2
    assert "study.npy: not a text file in UTF-8" in said.err
