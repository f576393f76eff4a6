"""What should make a reader doubt a front, in words."""

import numpy as np

from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.verdict import names_or_count
from mapmerge.records import Array
from mapmerge.response import ResponseSurfaces
from mapmerge.study import Study
from mapmerge.surrogates.features import parameter_count

_CROWDED = 0.25
"""Share of delivered points on the edge of the region from which on a reader is told."""


def warnings(study: Study, surfaces: ResponseSurfaces, delivered: Array) -> list[str]:
    """Say what should make a reader doubt the front, and what to do about it."""
    said = []
    failed = [
        (each, gate) for each, gate in zip(study.objectives, study.gate(surfaces), strict=True) if not gate.passed
    ]
    nested = study.config.method == "nested"
    if failed and nested and not study.config.nested.refine:
        names = names_or_count([repr(objective.name) for objective, _ in failed])
        said.append(
            f"predictions of {names} over all experts at once rest on what the nodes measured, which is too little for "
            "a surrogate: rely on measured scores, or search on from here with nested.refine"
        )
        failed = []
    for objective, gate in failed:
        setting = "nested.refine" if nested else "budget.evaluations"
        spent = -(-study.brief.spent(study.history) // study.brief.unit)
        said.append(
            f"the surrogate of {objective.name!r} failed its gate ({'; '.join(gate.reasons)}) and the budget of "
            f"{study.config.evaluations} evaluations is spent: raise {setting}, for example to {2 * spent}"
        )
    p = parameter_count(len(study.config.experts))
    fewest = min(len(surrogate.measured) for surrogate in surfaces.surrogates)
    if fewest < 2 * p:
        said.append(
            f"surrogates were fitted to {fewest} points, fewer than 2p = {2 * p}: their leave-one-out R2 may be too "
            "high, because leave-one-out also chose the ridge"
        )
    for name, scatter in study.repeat_scatter().items():
        said.append(
            f"objective {name!r} is not deterministic: the same merge measured again scatters by {scatter:.3g} "
            "(standard deviation of its score), which the intervals of measured scores do not include"
        )
    edge = int(surfaces.region.on_outer_edge(delivered).sum())
    if edge > _CROWDED * len(delivered):
        said.append(
            f"{edge} of {len(delivered)} delivered points lie on the outer edge of the sampled region: larger "
            "coefficients may do better; widen design.mass or design.upper"
        )
    return said


def flat_objectives(study: Study, unmerged: Array, normalisation: Normalisation) -> list[str]:
    """Name the objectives in which the unmerged models are all alike, and say what that means for the front.

    Args:
        study: what was asked.
        unmerged: gains of the unmerged models on held-out items, shape [n, m].
        normalisation: the units that follow from them.
    """
    flat = normalisation.reference < unmerged.min(axis=0)
    scores = np.sort(unmerged * study.signs, axis=0)
    others = "" if flat.all() else "; what the front gains, it gains in the others"
    return [
        f"objective {objective.name!r} does not tell the unmerged models apart: on held-out items they score "
        f"{low:.4g} to {high:.4g}, alike within the noise. The worst of them counts as 1 in normalised units, and 0 "
        f"lies one unit of {objective.metric.name} below{others}"
        for objective, low, high, same in zip(study.objectives, scores[0], scores[-1], flat, strict=True)
        if same
    ]
