"""The front of a complete run as one object: look, pick, export, verify; nothing is measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from mapmerge.errors import BadInputError, MissingPackageError
from mapmerge.export import export
from mapmerge.finished import FinishedRun
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.outputs import run_uri
from mapmerge.preference import Preference
from mapmerge.report.figures import Picture, front_svg
from mapmerge.report.items import look_up
from mapmerge.report.notebook import front_html, front_text, short
from mapmerge.report.page import render
from mapmerge.report.place import write_page

Scores = Mapping[str, float]
"""A number for each objective, by its name, in the unit of the metric."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Merge:
    """A merged model, as the surrogates see it.

    Args:
        coefficients: how much of each expert is in it, by the expert's name.
        predicted: expected scores.
        predicted_low: lower ends of their intervals.
        predicted_high: upper ends.
    """

    coefficients: Mapping[str, float]
    predicted: Scores
    predicted_low: Scores
    predicted_high: Scores

    def __repr__(self) -> str:
        return f"Merge({_said(self.predicted)}; {_said(self.coefficients)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Point(Merge):
    """A merged model that was delivered and measured on held-out items.

    Args:
        id: its name in the run, such as `p03`.
        measured: scores on held-out items.
        low: lower ends of their intervals.
        high: upper ends.
    """

    id: str
    measured: Scores
    low: Scores
    high: Scores

    def __repr__(self) -> str:
        return f"Point({short(self.id, 12)}: {_said(self.measured)}; {_said(self.coefficients)})"


_M = TypeVar("_M", bound=Merge)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Front:
    """What a complete run found.

    Args:
        finished: the run.
    """

    finished: FinishedRun

    @property
    def result(self) -> Mapping[str, Any]:
        """Everything that the run says, as `mapmerge front --json` prints it."""
        return self.finished.result

    @property
    def uri(self) -> str:
        """Where the run is."""
        return self.finished.folder.uri

    @property
    def points(self) -> list[Point]:
        """The points of the measured front, from best to worst on the first objective."""
        return [self._as(Point, point) for point in self.result["front"]]

    @property
    def dominated(self) -> list[Point]:
        """The delivered points that turned out dominated when they were measured."""
        return [self._as(Point, point) for point in self.result["dominated"]]

    def point(self, point_id: str) -> Point:
        """Return a delivered point by its id.

        Raises:
            BadInputError: there is none; says which there are.
        """
        return self._as(Point, self.finished.point(point_id))

    def to_frame(self) -> Any:
        """Return the delivered points as a pandas `DataFrame`, a row each: what `mapmerge front --csv` prints.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingPackageError(
                "to_frame needs pandas, which is not installed: `pip install pandas`, or use `points`"
            ) from None
        header, *rows = self.finished.rows()
        return pandas.DataFrame(rows, columns=header).set_index("id").astype({"on_front": bool})

    def pick(
        self,
        *,
        prefer: Mapping[str, float] | None = None,
        at_least: Mapping[str, float] | None = None,
        knee: bool = False,
    ) -> Merge:
        """Answer one preference from the surrogates; see `FinishedRun.pick`.

        Args:
            prefer: how much each objective counts; those that are not named count nothing.
            at_least: scores to be reached, in the unit of the metric; at most, where smaller is better.
            knee: the point where giving up more of one objective stops paying off in the others.

        Raises:
            PreferenceError: not exactly one is given, it names no objective, or no merged model can meet it; then says
                the nearest that can.
        """
        return self._as(Merge, self.finished.pick(Preference.of(prefer=prefer, at_least=at_least, knee=knee)))

    def plot(self) -> Picture:
        """Draw the measured front and its baselines; a notebook shows the picture, its `svg` is the file."""
        return Picture(front_svg(self.result))

    def export(self, point: Merge | str, out: str) -> str:
        """Write a merged checkpoint with its model card.

        Args:
            point: a point, its id, or what `pick` answered.
            out: folder to write, new or empty, as a path or `s3://bucket/folder`.

        Returns:
            The folder.

        Raises:
            BadInputError: there is no such point, or it is of other experts.
            RunError: a checkpoint is no longer the one that was measured.
            ConfigError: `out` holds something already.
        """
        merge = self.point(point) if isinstance(point, str) else point
        if set(merge.coefficients) != set(self.result["experts"]):
            mine, its = ", ".join(self.result["experts"]), ", ".join(merge.coefficients)
            raise BadInputError(f"the run merges experts {mine}, the point is of {its}; give a point of this front")
        return export(self.finished, asdict(merge), str(out))

    def report(self, out: str) -> str:
        """Write the report as one offline HTML page.

        Args:
            out: a file name in a folder that exists, or `s3://bucket/file.html`.

        Returns:
            `out`.

        Raises:
            BadInputError: `out` is a folder, or its folder does not exist.
        """
        return write_page(str(out), render(self.result, look_up(self.finished.folder, self.result)))

    def verify(self) -> None:
        """Hash the run again and compare with its manifest.

        Raises:
            IntegrityError: lists what is not as it was written.
        """
        self.finished.folder.require_whole(EvaluationLedger(self.finished.folder.store))

    def __repr__(self) -> str:
        return front_text(self.result)

    def _repr_html_(self) -> str:
        return front_html(self.result)

    def _as(self, kind: type[_M], point: Mapping[str, Any]) -> _M:
        """Read a record, its names in the study's order: stored JSON has them in the alphabet's."""
        values: dict[str, Any] = {field: point[field] for field in kind.__dataclass_fields__}
        for field, value in values.items():
            if isinstance(value, Mapping):
                order = self.result["experts"] if field == "coefficients" else self.finished.names
                values[field] = {name: value[name] for name in order}
        return kind(**values)


def open_front(run: str) -> Front:
    """Open a complete run.

    Args:
        run: its URI or folder, or its id under the default output.

    Raises:
        RunError: it is no run, or not complete.
        IntegrityError: its files are not what a run writes.
    """
    return Front(FinishedRun.open(run_uri(str(run))))


def _said(numbers: Mapping[str, float]) -> str:
    return ", ".join(f"{short(name, 24)} {value:.3f}" for name, value in numbers.items())
