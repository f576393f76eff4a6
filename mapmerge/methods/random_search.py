"""Random search: the whole budget spread evenly over the region, in one round."""

from dataclasses import dataclass

from mapmerge.history import History
from mapmerge.methods.measured_search import MeasuredSearch
from mapmerge.records import Question


@dataclass(frozen=True, eq=False)
class RandomSearch(MeasuredSearch):
    """Measures the anchors (base, experts, uniform merge) and points spread evenly, and keeps the best of them.

    What any method must beat: it has no choice to make but that of the region, the study's `design`. `design.points`
    does not matter to it.
    """

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Ask for the whole budget at once."""
        return None if history.rounds else self._first_question()
