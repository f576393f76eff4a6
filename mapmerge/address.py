"""What determines one evaluation of a run, taken from what the run froze of its study."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmerge.ledger.evaluations import evaluation_inputs
from mapmerge.records import Array, JsonObject, Split

METHOD = "task_arithmetic"
"""How coefficients become a model: base + sum of coefficient x (expert - base) (arXiv 2212.04089)."""

DTYPE = "float32"
"""What merged models compute in."""


def evaluation_address(
    frozen: JsonObject,
    coefficients: Array,
    objective: str,
    split: Split,
    *,
    items: NDArray[np.int64] | None = None,
    repeat: int = 0,
) -> dict[str, Any]:
    """Return what the key of an evaluation is the hash of.

    A sample that has every item of its set is the set: it finds what was measured on all items.

    Args:
        frozen: a run's study: `config`, and under `inputs` the fingerprints of models and evaluators.
        coefficients: float64, shape [k].
        objective: its name.
        split: which item set.
        items: the distinct items measured, shape [s]; None for all of them.
        repeat: how often the same was measured before, knowingly.
    """
    config, inputs = frozen["config"], frozen["inputs"]
    evaluator = inputs["evaluators"][objective][split]
    return evaluation_inputs(
        architecture=config["architecture"],
        base=inputs["base"],
        experts=[inputs["experts"][expert["name"]] for expert in config["experts"]],
        coefficients=coefficients,
        method=METHOD,
        dtype=DTYPE,
        evaluator=evaluator["name"],
        version=evaluator["version"],
        identity=evaluator["identity"],
        items=None if items is None or len(items) == evaluator["items"] else items,
        repeat=repeat,
    )
