from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mapmerge.checkpoints import Checkpoint, open_checkpoint, preflight
from mapmerge.checkpoints import open as opening
from mapmerge.errors import CheckpointError

Save = Callable[[str, Mapping[str, torch.Tensor]], Checkpoint]

BASE = {"w": torch.tensor([[3.0, 0.0], [0.0, 4.0]]), "b": torch.zeros(2), "count": torch.tensor([5])}


def shifted(**shifts: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: value + shifts.get(name, 0) for name, value in BASE.items()}


FIRST = shifted(w=torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
SECOND = shifted(w=torch.tensor([[1.0, 0.0], [0.0, 1.0]]), b=torch.ones(2))


def problems(base: Checkpoint, experts: Mapping[str, Checkpoint], **options: float) -> list[str]:
    with pytest.raises(CheckpointError) as caught:
        preflight(base, experts, **options)
    return str(caught.value).splitlines()[1:]


def test_report(save: Save) -> None:
    report = preflight(save("base", BASE), {"first": save("1", FIRST), "second": save("2", SECOND)})
    assert list(report.experts) == ["first", "second"]
    assert report.experts["first"].relative_norm == pytest.approx(1 / 5)
    assert report.experts["second"].relative_norm == pytest.approx(2 / 5)
    assert [expert.changed for expert in report.experts.values()] == [1, 4]
    np.testing.assert_allclose(report.cosines, [[1, 0.5], [0.5, 1]])
    assert report.parameters == 6
    assert report.size == 6 * 4 + 8
    assert report.warnings == ()


@given(piece=st.integers(1, 40), seed=st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_equals_plain_arithmetic_whatever_the_size_of_pieces(
    tmp_path_factory: pytest.TempPathFactory, piece: int, seed: int
) -> None:
    folder, torch_rng = tmp_path_factory.mktemp("models"), torch.Generator().manual_seed(seed)
    values = [torch.randn(37, generator=torch_rng) for _ in range(3)]
    for index, value in enumerate(values):
        save_file({"w": value[:30].reshape(5, 6), "v": value[30:]}, folder / f"{index}.safetensors")
    base, *experts = (open_checkpoint(folder / f"{index}.safetensors") for index in range(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "PIECE", piece)
        report = preflight(base, {"a": experts[0], "b": experts[1]}, max_relative_norm=10)
    vectors = torch.stack(values[1:]) - values[0]
    norms = vectors.norm(dim=1)
    assert report.experts["b"].relative_norm == pytest.approx(float(norms[1] / values[0].norm()), rel=1e-5)
    assert report.cosines[0, 1] == pytest.approx(float(vectors[0] @ vectors[1] / norms.prod()), abs=1e-5)


def test_other_tensors_give_a_warning_and_the_bases_values_are_used(save: Save) -> None:
    expert = FIRST | {"count": torch.tensor([6])}
    report = preflight(save("base", BASE), {"first": save("1", expert)})
    assert report.warnings == (
        "expert 'first': integer or boolean tensors 'count' differ from the base, whose values are used",
    )


def test_no_experts(save: Save) -> None:
    assert problems(save("base", BASE), {}) == ["expected at least one expert, but there is none"]


def test_nothing_to_merge(save: Save) -> None:
    lines = problems(save("base", {"count": torch.tensor([1])}), {"e": save("1", {"count": torch.tensor([1])})})
    assert lines[0] == "base: expected floating-point tensors to merge, but there are none"


def test_missing_and_unexpected_keys(save: Save) -> None:
    renamed = {f"model.{name}": value for name, value in FIRST.items()}
    assert problems(save("base", BASE), {"first": save("1", renamed)}) == [
        "expert 'first': missing tensors: 'b', 'count', 'w'",
        "expert 'first': unexpected tensors: 'model.b', 'model.count', 'model.w'",
    ]


def test_many_names_are_counted(save: Save) -> None:
    more = FIRST | {f"extra.{index}": torch.ones(1) for index in range(8)}
    (line,) = problems(save("base", BASE), {"first": save("1", more)})
    assert line.endswith("'extra.0', 'extra.1', 'extra.2', 'extra.3', 'extra.4' and 3 more")


def test_many_wrong_shapes_are_counted(save: Save) -> None:
    base = {f"t{index}": torch.ones(2) for index in range(8)}
    lines = problems(save("base", base), {"e": save("1", {name: torch.ones(3) for name in base})})
    assert len(lines) == 6
    assert lines[-1] == "expert 'e': 3 more tensors of another shape or dtype"


def test_shape_and_dtype(save: Save) -> None:
    wrong = FIRST | {"w": torch.ones(3, 2), "b": torch.ones(2, dtype=torch.bfloat16)}
    assert problems(save("base", BASE), {"first": save("1", wrong)}) == [
        "expert 'first': 'b': expected dtype F32 as in the base, came BF16",
        "expert 'first': 'w': expected shape [2, 2] as in the base, came [3, 2]",
    ]


def test_values_that_are_not_finite(save: Save) -> None:
    wrong = {**FIRST, "w": torch.tensor([[torch.nan, torch.inf], [0.0, 4.0]]), "b": torch.tensor([0.0, -torch.inf])}
    (line,) = problems(save("base", BASE), {"first": save("1", wrong), "second": save("2", SECOND)})
    assert line.startswith("expert 'first': 3 values are NaN, infinite or beyond float32, in tensors ")
    assert "'w (2)'" in line
    assert "'b (1)'" in line


def test_base_that_is_not_finite_is_not_blamed_on_experts(save: Save) -> None:
    base = BASE | {"b": torch.tensor([torch.nan, 0.0])}
    (line,) = problems(save("base", base), {"first": save("1", FIRST)})
    assert line.startswith("base: 1 values are NaN")


def test_expert_equal_to_the_base(save: Save) -> None:
    lines = problems(save("base", BASE), {"first": save("1", FIRST), "copy": save("2", BASE), "again": save("3", BASE)})
    assert lines == [
        "expert 'copy': equals the base, so its task vector is zero; remove it",
        "expert 'again': equals the base, so its task vector is zero; remove it",
    ]


def test_identical_experts(save: Save) -> None:
    experts = {"first": save("1", FIRST), "second": save("2", SECOND), "third": save("3", FIRST)}
    assert problems(save("base", BASE), experts) == [
        "experts 'first' and 'third': have the same values; remove one of them"
    ]


def test_not_a_child_of_the_base(save: Save) -> None:
    stranger = BASE | {"w": torch.full((2, 2), -9.0)}
    (line,) = problems(save("base", BASE), {"stranger": save("1", stranger)})
    assert line.endswith("is it really fine-tuned from this base?")
    assert preflight(save("base", BASE), {"stranger": save("1", stranger)}, max_relative_norm=10).warnings == ()


def test_all_problems_are_listed_at_once(save: Save) -> None:
    experts = {
        "short": save("1", {"w": FIRST["w"], "count": BASE["count"]}),
        "shape": save("2", FIRST | {"w": torch.ones(4)}),
        "nan": save("3", FIRST | {"b": torch.full((2,), torch.nan), "w": SECOND["w"]}),
    }
    text = "\n".join(problems(save("base", BASE), experts))
    assert "'short': missing tensors: 'b'" in text
    assert "'shape': 'w': expected shape [2, 2]" in text


def test_values_are_checked_in_tensors_that_agree(save: Save) -> None:
    experts = {
        "shape": save("1", FIRST | {"w": torch.ones(4)}),
        "nan": save("2", FIRST | {"b": torch.full((2,), torch.nan)}),
    }
    assert [line.split(":")[0] for line in problems(save("base", BASE), experts)] == ["expert 'shape'", "expert 'nan'"]
