"""The first candidates of a study: anchors that everybody asks about, then points spread over the region."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from mapmerge.designs.region import Region
from mapmerge.errors import ConfigError
from mapmerge.records import Array

Kind = Literal["dirichlet-mass", "sobol", "uniform-box", "paper-grid"]

_LARGEST_GRID = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Candidates to measure, and the region they were drawn from.

    Args:
        coefficients: shape [n, k].
        region: where the study may search afterwards.
    """

    coefficients: Array
    region: Region


def anchors(k: int) -> Array:
    """Return the merges every report compares with: the base, each expert, and the uniform merge.

    Returns:
        Shape [k + 2, k]; the uniform merge of one expert is that expert, so it is left out for k = 1.

    >>> anchors(2)
    array([[0. , 0. ],
           [1. , 0. ],
           [0. , 1. ],
           [0.5, 0.5]])
    """
    rows = [np.zeros((1, k)), np.eye(k)] + ([np.full((1, k), 1.0 / k)] if k > 1 else [])
    return np.vstack(rows)


def default_mass(k: int) -> tuple[float, float]:
    """Return the smallest and largest sum of coefficients that `dirichlet-mass` samples.

    The more experts, the more they disturb each other, and the smaller the sum at which merged models are still good:
    the largest sum falls from 2.2 for up to 4 experts to 1.6 for 10 and more.

    >>> [default_mass(k)[1] for k in (2, 4, 8, 16)]
    [2.2, 2.2, 1.7, 1.6]
    """
    return 0.3, min(2.2, max(1.6, 1.2 + 4.0 / k))


def design(
    kind: Kind,
    n: int,
    k: int,
    *,
    rng: np.random.Generator,
    mass: tuple[float, float] | None = None,
    lower: float | None = None,
    upper: float | None = None,
    identify: bool = True,
) -> Design:
    """Return the candidates a study measures first.

    | kind             | candidates after the anchors                    | region                          | options  |
    |------------------|-------------------------------------------------|---------------------------------|----------|
    | `dirichlet-mass` | even directions on the simplex, even sums       | c >= 0, sum(c) <= mass[1]       | mass     |
    | `sobol`          | even in the box (with mass: as above, in it)    | the box, and mass if given      | all      |
    | `uniform-box`    | independent, uniform in the box                 | the box                         | bounds   |
    | `paper-grid`     | no anchors; experts, then points of a grid      | the box [0, 1]                  | none     |

    Anchors (see `anchors`) come first even where they lie outside a region that was asked for.

    Args:
        kind: see the table. `dirichlet-mass` was best on real merges, by far for k = 8.
        n: how many candidates, at least 1; where they are to identify a quadratic, at least (k+1)(k+2)/2.
        k: how many experts.
        rng: source of all random choices.
        mass: smallest and largest sum of the coefficients of a sampled candidate; `default_mass(k)` for
            `dirichlet-mass`.
        lower: smallest coefficient, 0 unless given.
        upper: largest coefficient, 1 unless given.
        identify: whether the candidates must be enough for a quadratic.

    Raises:
        ConfigError: unknown kind, an option the kind has no use for, too few candidates, or an empty region.

    Source: `paper-grid` follows the behaviour of the sampler released with arXiv 2406.07529.
    """
    _check(kind, k, mass, lower, upper)
    needed = (k + 1) * (k + 2) // 2 if identify else 1
    if n < needed:
        reason = f"cannot determine a quadratic in {k} coefficients" if identify else "are none"
        raise ConfigError(f"design: {n} candidates {reason}; take at least {needed}")
    box = np.full(k, 0.0 if lower is None else lower), np.full(k, 1.0 if upper is None else upper)
    if kind == "paper-grid":
        return Design(np.vstack([np.eye(k), _grid(max(n - k, 0), k, rng)])[:n], Region(*box))
    fixed = anchors(k)[:n]
    rest = n - len(fixed)
    if kind == "dirichlet-mass":
        low, high = default_mass(k) if mass is None else mass
        sampled = Region(np.zeros(k), np.full(k, high), (low, high))
        region = Region(np.zeros(k), np.full(k, high), (min(low, 0.0), high))
        return Design(np.vstack([fixed, sampled.sample(rest, rng)]), region)
    region = Region(*box, mass)
    points = rng.uniform(*box, (rest, k)) if kind == "uniform-box" else region.sample(rest, rng)
    return Design(np.vstack([fixed, points]), region)


def _check(kind: str, k: int, mass: tuple[float, float] | None, lower: float | None, upper: float | None) -> None:
    if kind not in get_args(Kind):
        raise ConfigError(f"design: unknown kind {kind!r}; expected one of {', '.join(get_args(Kind))}")
    if k < 1:
        raise ConfigError(f"design: expected at least 1 expert, got {k}")
    if mass is not None and kind in ("uniform-box", "paper-grid"):
        raise ConfigError(f"design: {kind} has no use for mass; take sobol or dirichlet-mass")
    if (lower is not None or upper is not None) and kind in ("dirichlet-mass", "paper-grid"):
        raise ConfigError(f"design: {kind} has no use for lower and upper; take sobol or uniform-box")
    if kind == "dirichlet-mass" and mass is not None and not 0.0 <= mass[0] <= mass[1]:
        raise ConfigError(f"design: expected mass as [smallest, largest], at least 0, got {list(mass)}")


def _grid(n: int, k: int, rng: np.random.Generator) -> Array:
    """Return n points of a regular grid on [0, 1]^k, shape [n, k].

    As coarse as gives about 2 n points; single experts, points with all coordinates equal and points whose
    coordinates sum to 1 are left out.
    """
    levels = max(2, int(np.ceil(round((2.0 * n) ** (1.0 / k), 9))))
    if levels**k > _LARGEST_GRID:
        raise ConfigError(f"design: a grid over {k} coefficients is too large; take dirichlet-mass")
    steps = np.indices((levels,) * k).reshape(k, -1).T
    keep = (steps.sum(axis=1) != levels - 1) & (steps.min(axis=1) != steps.max(axis=1))
    steps = steps[keep]
    if len(steps) < n:
        raise ConfigError(f"design: the grid over {k} coefficients has only {len(steps)} points; take dirichlet-mass")
    return rng.permutation(steps)[:n] / (levels - 1.0)
