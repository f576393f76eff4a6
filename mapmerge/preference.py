"""What somebody wants of a merged model, in the words of the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real

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

    @staticmethod
    def of(
        *, prefer: Mapping[str, float] | None = None, at_least: Mapping[str, float] | None = None, knee: bool = False
    ) -> "Preference":
        """Read a preference from values such as `prefer={"mnist": 2, "animals": 1}`.

        Raises:
            PreferenceError: none or several kinds are given, or one is not numbers by name.

        >>> Preference.of(at_least={"mnist": 0.9}).at_least
        {'mnist': 0.9}
        """
        if sum((prefer is not None, at_least is not None, knee)) != 1:
            raise PreferenceError(
                "give one preference: prefer={NAME: WEIGHT, …}, at_least={NAME: SCORE, …} or knee=True"
            )
        return Preference(_checked(prefer, "prefer"), _checked(at_least, "at_least"), knee)

    def require_known(self, objectives: list[str]) -> None:
        """Check that every name is an objective.

        Raises:
            PreferenceError: one is not; says which was probably meant.
        """
        for name in (*self.weights, *self.at_least):
            if name not in objectives:
                raise PreferenceError(f"the run has no objective {name!r}; {did_you_mean(name, objectives)}")


def _checked(numbers: Mapping[str, float] | None, word: str) -> dict[str, float]:
    if numbers is None:
        return {}
    if not isinstance(numbers, Mapping) or not numbers:
        raise PreferenceError(f"{word}={numbers!r}: expected {{NAME: NUMBER, …}}")
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Real):
            raise PreferenceError(f"{word}: {name!r}: expected a number, got {number!r}")
    return {name: float(number) for name, number in numbers.items()}


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
