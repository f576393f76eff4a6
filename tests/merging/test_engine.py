from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from mapmerge.checkpoints import export_checkpoint, open_checkpoint
from mapmerge.errors import CheckpointError, ConfigError
from mapmerge.merging import ResidentModel, TaskMatrix

if TYPE_CHECKING:
    from conftest import Family

TOKENS = torch.tensor([0, 3, 6, 2])
coefficient_lists = st.lists(st.floats(-2, 2, width=32), min_size=3, max_size=3)


@pytest.fixture(scope="module")
def resident(family: "Family", tmp_path_factory: pytest.TempPathFactory) -> ResidentModel:
    matrix = TaskMatrix.build(tmp_path_factory.mktemp("cache"), family.base, family.experts)
    return ResidentModel(family.architecture(), matrix, family.base, "cpu")


def values(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@given(coefficients=coefficient_lists)
@settings(max_examples=30, deadline=None)
def test_equals_naive_arithmetic(resident: ResidentModel, family: "Family", coefficients: list[float]) -> None:
    state = values(resident.load(np.array(coefficients)))
    for name, expected in family.naive(coefficients).items():
        torch.testing.assert_close(state[name], expected, rtol=2e-6, atol=2e-6)


def test_predicts_as_a_model_with_the_naive_weights(resident: ResidentModel, family: "Family") -> None:
    plain = family.architecture()
    missing = plain.load_state_dict(family.naive([0.3, 0.2, 0.1]), strict=False).missing_keys
    assert missing == ["head.weight"]
    model = resident.load(np.array([0.3, 0.2, 0.1]))
    torch.testing.assert_close(model(TOKENS), plain.eval()(TOKENS), rtol=1e-5, atol=1e-6)


@given(a=coefficient_lists, b=coefficient_lists, t=st.floats(0, 1, width=32))
@settings(max_examples=20, deadline=None)
def test_is_linear_in_the_coefficients(resident: ResidentModel, a: list[float], b: list[float], t: float) -> None:
    at_a, at_b = values(resident.load(np.array(a))), values(resident.load(np.array(b)))
    between = values(resident.load((1 - t) * np.array(a) + t * np.array(b)))
    for name, value in between.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (1 - t) * at_a[name] + t * at_b[name], rtol=1e-5, atol=1e-5)


def test_zero_gives_the_base_bit_for_bit(resident: ResidentModel, family: "Family") -> None:
    resident.load(np.ones(3))
    state = values(resident.load(np.zeros(3)))
    for name, value in family.states[0].items():
        assert torch.equal(state[name], value)


def test_one_hot_gives_the_expert(resident: ResidentModel, family: "Family") -> None:
    for index in range(3):
        state = values(resident.load(np.eye(3)[index]))
        for name, value in family.states[1 + index].items():
            if value.is_floating_point():
                torch.testing.assert_close(state[name], value, rtol=2.4e-7, atol=2.4e-7)


@given(first=coefficient_lists, second=coefficient_lists)
@settings(max_examples=20, deadline=None)
def test_same_coefficients_give_the_same_bits(resident: ResidentModel, first: list[float], second: list[float]) -> None:
    before = values(resident.load(np.array(first)))
    resident.load(np.array(second))
    after = values(resident.load(np.array(first)))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_loading_allocates_no_storage(resident: ResidentModel) -> None:
    model = resident.load(np.zeros(3))
    pointers = {name: value.data_ptr() for name, value in model.state_dict().items()}
    assert resident.load(np.ones(3)) is model
    assert {name: value.data_ptr() for name, value in model.state_dict().items()} == pointers
    storages = {v.untyped_storage().data_ptr() for v in model.state_dict().values() if v.is_floating_point()}
    assert len(storages) == 1


def test_ready_to_measure(resident: ResidentModel) -> None:
    model = resident.load(np.zeros(3))
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    with torch.inference_mode():
        model(TOKENS)
        resident.load(np.ones(3))(TOKENS)


def test_other_buffers(resident: ResidentModel) -> None:
    model = resident.load(np.ones(3))
    assert model.norm.num_batches_tracked.item() == 41
    assert torch.equal(model.positions, torch.arange(5.0))
    assert model.head.weight is model.embed.weight


def test_a_half_precision_architecture_becomes_float32(family: "Family", tmp_path: Path) -> None:
    matrix = TaskMatrix.build(tmp_path, family.base, family.experts)
    model = ResidentModel(family.architecture().bfloat16(), matrix, family.base, "cpu").load(np.zeros(3))
    assert model.hidden.weight.dtype == torch.float32
    assert torch.equal(model.hidden.weight, family.states[0]["hidden.weight"])


def test_a_recurrent_model_uses_the_merged_weights(tmp_path: Path) -> None:
    plain = torch.nn.LSTM(3, 4)
    state = {name: value.clone() for name, value in plain.state_dict().items()}
    save_file(state, tmp_path / "base.safetensors")
    save_file({name: value + 1 for name, value in state.items()}, tmp_path / "expert.safetensors")
    base, expert = (open_checkpoint(tmp_path / f"{name}.safetensors") for name in ("base", "expert"))
    matrix = TaskMatrix.build(tmp_path / "cache", base, [expert])
    model = ResidentModel(torch.nn.LSTM(3, 4), matrix, base, "cpu").load(np.zeros(1))
    inputs = torch.randn(2, 3)
    torch.testing.assert_close(model(inputs)[0], plain(inputs)[0])


@given(coefficients=coefficient_lists)
@settings(max_examples=10, deadline=None)
def test_an_exported_checkpoint_is_the_resident_model(
    resident: ResidentModel,
    family: "Family",
    tmp_path_factory: pytest.TempPathFactory,
    coefficients: list[float],
) -> None:
    c = np.array(coefficients)
    out = export_checkpoint(tmp_path_factory.mktemp("out") / "m", family.base, family.experts, c, card="")
    state = values(resident.load(c))
    for name, value in load_file(out / "model.safetensors").items():
        torch.testing.assert_close(value, state[name], rtol=2.4e-7, atol=2.4e-7)


@pytest.mark.parametrize("c", [[0.5], [0.5] * 4, [[0.5] * 3], [0.5, np.nan, 0.0], [0.5, np.inf, 0.0]])
def test_wrong_coefficients(resident: ResidentModel, c: list[float]) -> None:
    with pytest.raises(ConfigError, match="coefficients"):
        resident.load(np.array(c))


Make = Callable[[Mapping[str, torch.Tensor]], ResidentModel]


@pytest.fixture
def make(family: "Family", tmp_path: Path) -> Make:
    """Build the engine on checkpoints that all have the same, changed tensors."""

    def build(changes: Mapping[str, torch.Tensor | None]) -> ResidentModel:
        checkpoints = []
        for index, state in enumerate(family.states[:2]):
            changed = {name: value for name, value in {**state, **changes}.items() if value is not None}
            save_file(changed, tmp_path / f"{index}.safetensors")
            checkpoints.append(open_checkpoint(tmp_path / f"{index}.safetensors"))
        matrix = TaskMatrix.build(tmp_path / "cache", checkpoints[0], checkpoints[1:])
        return ResidentModel(family.architecture(), matrix, checkpoints[0], "cpu")

    return build


MISFITS: Sequence[tuple[dict[str, torch.Tensor | None], str]] = [
    ({"hidden.bias": None}, r"model has tensors that the checkpoint lacks: 'hidden\.bias'"),
    ({"norm.num_batches_tracked": None}, r"the checkpoint lacks: 'norm\.num_batches_tracked'"),
    ({"embed.weight": None}, r"the checkpoint lacks: 'embed\.weight'"),
    ({"extra": torch.ones(2)}, "checkpoint has tensors that the model lacks: 'extra'"),
    ({"extra": torch.tensor(2)}, "checkpoint has tensors that the model lacks: 'extra'"),
    ({"hidden.bias": torch.ones(6)}, r"'hidden\.bias': the model expects torch\.float32 of shape \[5\], .* \[6\]"),
    ({"hidden.bias": torch.ones(5, dtype=torch.int64)}, r"'hidden\.bias': .* torch\.int64 of shape \[5\]"),
    ({"norm.num_batches_tracked": torch.tensor(1.0)}, r"expects torch\.int64 of shape \[\]"),
    ({"head.weight": torch.ones(7, 5)}, r"ties 'embed\.weight', 'head\.weight', but the checkpoints have different"),
]


@pytest.mark.parametrize(("changes", "message"), MISFITS)
def test_model_and_checkpoint_differ(changes: dict[str, torch.Tensor | None], message: str, make: Make) -> None:
    with pytest.raises(CheckpointError, match=message):
        make(changes)


def test_tied_names_may_be_either_or_both(make: Make) -> None:
    weight = torch.full((7, 5), 0.25)
    for changes in (
        {"embed.weight": None, "head.weight": weight},
        {"embed.weight": weight, "head.weight": weight.clone()},
    ):
        model = make(changes).load(np.array([0.5]))
        assert torch.equal(model.embed.weight, weight)
        assert model.head.weight is model.embed.weight


def test_ties_between_two_parameter_objects(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False))
    model[1].weight.data = model[0].weight.data
    save_file({"0.weight": torch.zeros(3, 3)}, tmp_path / "base.safetensors")
    save_file({"0.weight": torch.ones(3, 3)}, tmp_path / "expert.safetensors")
    base, expert = (open_checkpoint(tmp_path / f"{name}.safetensors") for name in ("base", "expert"))
    matrix = TaskMatrix.build(tmp_path / "cache", base, [expert])
    merged = ResidentModel(model, matrix, base, "cpu").load(np.array([0.5]))
    assert torch.equal(merged[0].weight, torch.full((3, 3), 0.5))
    assert torch.equal(merged[1].weight, torch.full((3, 3), 0.5))


def test_a_matrix_of_another_base(family: "Family", tmp_path: Path) -> None:
    save_file({"w": torch.zeros(3)}, tmp_path / "base.safetensors")
    save_file({"w": torch.ones(3)}, tmp_path / "expert.safetensors")
    base, expert = (open_checkpoint(tmp_path / f"{name}.safetensors") for name in ("base", "expert"))
    matrix = TaskMatrix.build(tmp_path / "cache", base, [expert])
    with pytest.raises(CheckpointError, match="is not the base from which"):
        ResidentModel(family.architecture(), matrix, family.base, "cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(family: "Family", tmp_path: Path) -> None:
    matrix = TaskMatrix.build(tmp_path, family.base, family.experts)
    resident = ResidentModel(family.architecture(), matrix, family.base, "cuda")
    state = {name: value.cpu() for name, value in values(resident.load(np.array([0.3, -0.2, 1.0]))).items()}
    for name, expected in family.naive([0.3, -0.2, 1.0]).items():
        torch.testing.assert_close(state[name], expected, rtol=2e-6, atol=2e-6)
    again = values(resident.load(np.array([0.3, -0.2, 1.0])))
    assert all(torch.equal(again[name].cpu(), value) for name, value in state.items())
    assert all(
        torch.equal(v.cpu(), family.states[0][n])
        for n, v in values(resident.load(np.zeros(3))).items()
        if n in family.states[0]
    )
