"""Checks for people who write an evaluator: one call in their test suite."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mapmerge.evaluators.protocol import Evaluator, TellsMargins


def check_evaluator(
    evaluator_class: type[Evaluator],
    items: Path,
    options: Mapping[str, Any],
    *,
    root: Path,
    model: nn.Module,
    device: str = "cpu",
) -> None:
    """Check that an evaluator keeps the promises of `mapmerge.evaluators.protocol.Evaluator`.

    Args:
        evaluator_class: the class to check.
        items: an item set it can open, of at least two items.
        options: options it accepts.
        root: the folder that relative paths start at.
        model: a model it can measure, in eval mode, on `device`.
        device: where to measure.

    Raises:
        AssertionError: says which promise is broken and how to keep it.
    """
    for word in ("name", "version"):
        value = getattr(evaluator_class, word, None)
        assert isinstance(value, str), f"`{word}` must be a non-empty str on the class, it is {value!r}"
        assert value, f"`{word}` must be a non-empty str on the class, it is {value!r}"
    evaluator = evaluator_class.open(items, options, root=root, device=device)
    assert isinstance(evaluator, Evaluator), "what `open` returns must have every member of `Evaluator`"
    _check_description(evaluator, evaluator_class.open(items, options, root=root, device=device))
    _check_unknown_option(evaluator_class, items, options, root=root, device=device)

    outcomes = evaluator.measure(model)
    _check_outcomes(evaluator, outcomes, len(evaluator), "measure(model)")
    again = evaluator.measure(model)
    assert outcomes.tobytes() == again.tobytes(), (
        "measuring the same model twice must give the same bits; seed what is random, fix the batch size, "
        "and keep nothing between calls"
    )
    chosen = np.arange(len(evaluator) - 1, -1, -2, dtype=np.int64)
    subset = evaluator.measure(model, chosen)
    _check_outcomes(evaluator, subset, len(chosen), "measure(model, items)")
    # Rounding may differ with the batch an item is in, and may turn a 0/1 outcome once in a while.
    unlike = ~np.isclose(subset, outcomes[chosen], rtol=1e-3, atol=1e-4)
    assert unlike.sum() <= max(1, len(chosen) // 100), (
        f"measure(model, items) must give the outcomes of just these items in their order; {unlike.sum()} of "
        f"{len(chosen)} differ from measure(model)[items]"
    )
    if isinstance(evaluator, TellsMargins) and evaluator.tells_margins:
        _check_margins(evaluator, outcomes, model)


def _check_margins(evaluator: TellsMargins, outcomes: NDArray[np.float32], model: nn.Module) -> None:
    margins = evaluator.measure_margins(model)
    is_like = isinstance(margins, np.ndarray) and margins.dtype == np.float32 and margins.shape == outcomes.shape
    assert is_like, f"measure_margins(model) must return float32 of shape {outcomes.shape}, a margin for each outcome"
    assert np.isfinite(margins).all(), "measure_margins(model) returned NaN or infinite margins"
    unlike = int(np.sum((margins > 0.0) != (outcomes == 1.0)))
    assert unlike == 0, (
        "a margin must be above 0 where the outcome is 1 and at most 0 where it is 0; "
        f"{unlike} of {len(margins)} are not"
    )


def _check_description(evaluator: Evaluator, second: Evaluator) -> None:
    assert len(evaluator) >= 2, "give an item set of at least two items"
    assert len(evaluator.item_ids) == len(evaluator), (
        f"`item_ids` must name every item: {len(evaluator.item_ids)} ids for {len(evaluator)} items"
    )
    assert all(isinstance(item, str) for item in evaluator.item_ids), "`item_ids` must be strings, hashes of the inputs"
    assert all(isinstance(warning, str) for warning in evaluator.warnings), "`warnings` must be sentences"
    identity = evaluator.identity
    try:
        text = json.dumps(identity, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"`identity` must be plain JSON without NaN: {error}") from error
    assert json.loads(text) == identity, (
        "`identity` must come back from JSON as it went in: use lists instead of tuples, and strings as keys"
    )
    assert second.identity == identity, (
        "`identity` must be the same whenever the same items are opened: no time, path, device or object id in it"
    )
    assert list(second.item_ids) == list(evaluator.item_ids), "`item_ids` must be the same on every open"


def _check_unknown_option(
    evaluator_class: type[Evaluator], items: Path, options: Mapping[str, Any], *, root: Path, device: str
) -> None:
    unknown = {**options, "no_such_option": 1}
    try:
        evaluator_class.open(items, unknown, root=root, device=device)
    except ValueError:
        return
    raise AssertionError("`open` must raise ConfigError for an option it does not know; `parse_options` does so")


def _check_outcomes(evaluator: Evaluator, outcomes: object, length: int, call: str) -> None:
    assert isinstance(outcomes, np.ndarray), f"{call} must return a NumPy array, it returned {type(outcomes).__name__}"
    assert outcomes.dtype == np.float32, f"{call} must return float32, it returned {outcomes.dtype}"
    assert outcomes.shape == (length,), f"{call} must return shape ({length},), it returned {outcomes.shape}"
    assert np.isfinite(outcomes).all(), f"{call} returned NaN or infinite outcomes; raise EvaluationError instead"
    score, metric = float(outcomes.mean(dtype=np.float64)), evaluator.metric
    assert metric.lower is None or score >= metric.lower, (
        f"score {score} is below the metric's lower end {metric.lower}"
    )
    assert metric.upper is None or score <= metric.upper, (
        f"score {score} is above the metric's upper end {metric.upper}"
    )
