"""A run while it is being driven: its study, its folder, and its way to and from the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from mapmerge.address import evaluation_address
from mapmerge.config import StudyConfig
from mapmerge.earlier import from_json
from mapmerge.ledger.claims import Claims
from mapmerge.ledger.evaluations import EvaluationLedger, evaluation_key
from mapmerge.ledger.lease import Lease
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.side_by_side import side_by_side
from mapmerge.records import Array, Evaluation, Question, Sample, Split
from mapmerge.response import objective_from_json
from mapmerge.study import Study
from mapmerge.untrusted import numbers
from tasks.metrics import Metrics, metrics_folder
from tasks.pool import Finished, Work
from tasks.resident import Blueprint, Measured


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One measurement that a question asks for.

    Args:
        key: what the ledger knows it by.
        coefficients: the candidate, shape [k].
        objective: name of the objective.
        split: which item set.
        sample: its items; None for all of them.
    """

    key: str
    coefficients: Array
    objective: str
    split: Split
    sample: Sample | None

    def answer(self, known: Evaluation) -> Evaluation:
        """Return what is known under this key, in the words of the request: those of others may differ.

        A coefficient of -0.0 makes the same model as 0.0, two samples may have the same items in other strata, and two
        objectives the same evaluator.
        """
        return replace(known, coefficients=self.coefficients, objective=self.objective, sample=self.sample)


class Run:
    """One run of a study, live in the process that drives it.

    Nothing in here must survive that process: a resumed run asks the same questions again and finds the answers in the
    ledger.

    Args:
        folder: the run's folder.
        ledger: where evaluations are kept, shared by all runs of an output.
        frozen: what `tasks.inputs.freeze` made of the study.
    """

    def __init__(self, folder: RunFolder, ledger: EvaluationLedger, frozen: Mapping[str, Any]) -> None:
        self.folder = folder
        self.ledger = ledger
        self.frozen = frozen
        self.config = StudyConfig.model_validate(frozen["config"])
        self.objectives = tuple(objective_from_json(entry) for entry in frozen["objectives"])
        sets = [frozen["inputs"]["evaluators"][objective.name] for objective in self.objectives]
        search, held_out = (tuple(pair[split]["items"] for pair in sets) for split in ("search", "held_out"))
        steady: dict[str, bool] = frozen["deterministic"]
        unstable = tuple(name for name, same in steady.items() if not same)
        self.study = Study(self.config, self.objectives, search, held_out, unstable)
        self.blueprint = Blueprint(dict(frozen["config"]), frozen["root"], dict(frozen["inputs"]))

    @cached_property
    def lease(self) -> Lease:
        """What whoever drives this run holds."""
        return self.folder.lease()

    @cached_property
    def claims(self) -> Claims:
        """What this driver measures, told to those of other runs."""
        return Claims(self.ledger.store, self.folder.run_id, self.lease.token)

    @cached_property
    def known(self) -> Question | None:
        """What an earlier run measured of this study's merges, None where this run extends none."""
        return from_json(self.frozen["known"]) if "known" in self.frozen else None

    @cached_property
    def delivered(self) -> Array | None:
        """The points of the front that this run measures again, shape [n, k]; None where it finds its own."""
        return numbers(self.frozen["delivered"], "delivered", 2) if "delivered" in self.frozen else None

    @cached_property
    def metrics(self) -> Metrics:
        """What this driver counts."""
        return Metrics(self.folder.run_id, metrics_folder())

    @property
    def uri(self) -> str:
        """Where the run is."""
        return str(self.folder.uri)

    def requests(self, question: Question) -> list[Request]:
        """Return what a question asks for, each measurement once, in order."""
        once: dict[tuple[bytes, str, bytes], Request] = {}
        for row, name, sample in question.requests([objective.name for objective in self.objectives]):
            place = row.tobytes(), name, b"" if sample is None else sample.items.tobytes()
            if place not in once:
                once[place] = self._request(row, name, question.split, sample, question.repeat)
        return list(once.values())

    def requests_of(self, work: Work) -> list[Request]:
        """Return what a piece of work measures."""
        return [
            self._request(work.coefficients, name, work.split, sample, work.repeat)
            for name, sample in work.wanted.items()
        ]

    def called(self, question: Question) -> str:
        """Return what a question is called in events and progress."""
        return question.name

    def tell(self, question: Question, evaluations: list[Evaluation]) -> None:
        """Tell the study what came of a question.

        Raises:
            FailedRunError: more evaluations failed than the study allows.
        """
        self.study.tell(question, evaluations)

    def recall(self, requests: Iterable[Request]) -> dict[str, Evaluation]:
        """Return what is known already, by key: from the ledger, or as a failure from this run's own records."""
        asked = {request.key: request for request in requests}
        known: dict[str, Evaluation] = {}
        for found in self.ledger.each(asked):
            request = asked[found.key]
            known[found.key] = Evaluation(
                found.key,
                request.coefficients,
                request.objective,
                request.split,
                found.outcomes,
                found.seconds,
                reused=found.run != self.folder.run_id,
                sample=request.sample,
                margins=found.margins,
            )
        for key, request in asked.items():
            if key not in known and key in self._failures:
                of = request.coefficients, request.objective, request.split
                known[key] = Evaluation(key, *of, None, error=self._failures[key], sample=request.sample)
        return known

    def keep(self, finished: Finished) -> list[Evaluation]:
        """Record what came of one piece of work, its objectives side by side, and return it as evaluations."""
        if any(measured.outcomes is None for measured in finished.measured):
            self._failures  # noqa: B018  # read before threads add to it
        return [kept for _, kept in side_by_side(partial(self._keep, finished), finished.measured)]

    def _keep(self, finished: Finished, measured: Measured) -> Evaluation:
        work = finished.work
        sample = work.wanted[measured.objective]
        of = work.coefficients, measured.objective, work.split
        inputs = self._address(*of, sample, work.repeat)
        if measured.outcomes is not None:
            stored = self.ledger.put(
                inputs,
                measured.outcomes,
                seconds=measured.seconds,
                device=measured.device,
                run=self.folder.run_id,
                margins=measured.margins,
            )
            return Evaluation(stored.key, *of, stored.outcomes, measured.seconds, sample=sample, margins=stored.margins)
        key, error = evaluation_key(inputs), measured.error or "no outcomes and no reason"
        details = {"coefficients": work.coefficients.tolist(), "objective": measured.objective, "split": work.split}
        self.folder.record_failure(key, error=error, attempts=finished.attempts, details=details)
        self._failures.setdefault(key, error)
        return Evaluation(key, *of, None, measured.seconds, error, sample=sample)

    @cached_property
    def _failures(self) -> dict[str, str]:
        """Why a key has no measurement; read once, since only whoever holds the run adds to it."""
        return {failure["key"]: failure["error"] for failure in self.folder.failures()}

    def _request(
        self, coefficients: Array, objective: str, split: Split, sample: Sample | None, repeat: int
    ) -> Request:
        key = evaluation_key(self._address(coefficients, objective, split, sample, repeat))
        return Request(key, coefficients, objective, split, sample)

    def _address(
        self, coefficients: Array, objective: str, split: Split, sample: Sample | None, repeat: int
    ) -> dict[str, Any]:
        items = None if sample is None else sample.items
        return evaluation_address(self.frozen, coefficients, objective, split, items=items, repeat=repeat)
