"""What somebody wants of a merged model, in the words of the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mapmerge.errors import PreferenceError, did_you_mean


@dataclass(frozen=True, slots=True)
class Preference:
    """Weights of objectives, scores that must be reached, or the knee of the front; exactly one of them.

    Args:
        weights: how much each objective counts; objectives that are not named count nothing.
        at_least: scores to be reached, in the unit of the metric; at most, where smaller is better.
        knee: the point where giving up more of one objective stops paying off in the others.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    knee: bool = False

    @staticmethod
    def parse(*, weights: str | None = None, at_least: str | None = None, knee: bool = False) -> "Preference":
        """Read a preference from text such as `mnist=2,animals=1`.

        Raises:
            PreferenceError: none or several kinds are given, or the text cannot be read.

        >>> Preference.parse(weights="mnist=2, animals=1").weights
        {'mnist': 2.0, 'animals': 1.0}
        """
        if sum((weights is not None, at_least is not None, knee)) != 1:
            raise PreferenceError("give one preference: --prefer NAME=WEIGHT,…, --at-least NAME=SCORE,… or --knee")
        return Preference(
            {} if weights is None else _numbers(weights, "--prefer"),
            {} if at_least is None else _numbers(at_least, "--at-least"),
            knee,
        )

    def require_known(self, objectives: list[str]) -> None:
        """Check that every name is an objective.

        Raises:
            PreferenceError: one is not; says which was probably meant.
        """
        for name in (*self.weights, *self.at_least):
            if name not in objectives:
                raise PreferenceError(f"the run has no objective {name!r}; {did_you_mean(name, objectives)}")


def _numbers(text: str, option: str) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        name = name.strip()
        try:
            if not equals or not name:
                raise ValueError
            number = float(value)
        except ValueError:
            raise PreferenceError(f"{option} {part!r}: expected NAME=NUMBER") from None
        if name in numbers:
            raise PreferenceError(f"{option}: {name!r} is given twice")
        numbers[name] = number
    if not numbers:
        raise PreferenceError(f"{option} {text!r}: expected NAME=NUMBER")
    return numbers
