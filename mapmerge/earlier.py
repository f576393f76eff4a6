"""What an earlier run measured, as far as it holds for another study: one whose family has grown, or lost an expert."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mapmerge.errors import BadInputError, ConfigError
from mapmerge.history import Round
from mapmerge.records import Array, JsonObject, Question, Sample, Wanted
from mapmerge.untrusted import numbers

KNOWN = "known"
"""Name of the question about what an earlier run measured."""


def measured(rounds: Iterable[Round]) -> Question:
    """Return all that was measured on search items as one question, without what failed or was only repeated.

    Args:
        rounds: of a run.
    """
    rows: list[Array] = []
    wanted: list[Wanted] = []
    for done in rounds:
        if done.question.split == "held_out" or done.question.repeat:
            continue
        seen: dict[bytes, tuple[Array, dict[str, Sample | None]]] = {}
        for each in done.evaluations:
            if each.error is None:
                _, samples = seen.setdefault(each.coefficients.tobytes(), (each.coefficients, {}))
                samples[each.objective] = each.sample
        rows += [row for row, _ in seen.values()]
        wanted += [samples for _, samples in seen.values()]
    return Question(KNOWN, "search", np.vstack(rows), tuple(wanted))


def to_json(question: Question) -> dict[str, Any]:
    """Return the candidates of a question, each with its samples, as a JSON object."""
    return {
        "schema": "mapmerge/measured/1",
        "coefficients": question.coefficients.tolist(),
        "wanted": [{name: _sample_to_json(sample) for name, sample in each.items()} for each in question.wanted or ()],
    }


def from_json(written: JsonObject) -> Question:
    """Return what `to_json` made an object of.

    Raises:
        BadInputError: it is no such object.
    """
    try:
        coefficients = numbers(written["coefficients"], "coefficients", 2)
        wanted = tuple({name: _sample_from_json(each) for name, each in one.items()} for one in written["wanted"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInputError(f"what an earlier run measured cannot be read: {error!r}") from None
    if len(wanted) != len(coefficients):
        raise BadInputError(f"what an earlier run measured: {len(wanted)} wishes for {len(coefficients)} candidates")
    return Question(KNOWN, "search", coefficients, wanted)


def holds_for(question: Question, earlier: JsonObject, study: JsonObject) -> Question:
    """Return what an earlier run measured in the words of another study, as far as that study could ask for it.

    A merge is the same where its experts are: one that was added has coefficient 0, one that was taken away must have
    had it. An objective is the same where evaluator and search items are, whatever it is called.

    Args:
        question: what the earlier run measured.
        earlier: what that run froze of its study.
        study: what the other one froze.

    Returns:
        The same candidates, or fewer, with the coefficients and objectives of the other study.

    Raises:
        ConfigError: nothing of it holds; says why.
    """
    for what in ("base", "architecture"):
        if _of(earlier, what) != _of(study, what):
            raise ConfigError(f"nothing of the earlier run holds for this study: it has another {what}")
    names = _same_objectives(earlier["inputs"]["evaluators"], study["inputs"]["evaluators"])
    if not names:
        raise ConfigError(
            "nothing of the earlier run holds for this study: no objective has the evaluator, options and search "
            "items of one of its objectives"
        )
    now = {fingerprint: place for place, fingerprint in enumerate(_experts(study))}
    places = [now.get(fingerprint) for fingerprint in _experts(earlier)]
    rows: list[Array] = []
    wanted: list[Wanted] = []
    for row, asked in zip(question.coefficients, question.wanted or (), strict=True):
        kept = {names[name]: sample for name, sample in asked.items() if name in names}
        if kept and not any(value != 0.0 and place is None for value, place in zip(row, places, strict=True)):
            moved = np.zeros(len(now))
            for value, place in zip(row, places, strict=True):
                if place is not None:
                    moved[place] = value
            rows.append(moved)
            wanted.append(kept)
    if not rows:
        raise ConfigError(
            "nothing of the earlier run holds for this study: all its merges have experts that are not here"
        )
    return Question(KNOWN, "search", np.vstack(rows), tuple(wanted))


def _same_objectives(earlier: Mapping[str, Any], study: Mapping[str, Any]) -> dict[str, str]:
    """Return what the objectives of an earlier run are called now; those that are gone are not there."""
    found = {}
    for name, sets in earlier.items():
        same = [other for other, its in study.items() if its["search"] == sets["search"]]
        if same:
            found[name] = name if name in same else same[0]
    return found


def _of(frozen: JsonObject, what: str) -> Any:
    return frozen["inputs"]["base"] if what == "base" else frozen["config"]["architecture"]


def _experts(frozen: JsonObject) -> list[str]:
    return [frozen["inputs"]["experts"][expert["name"]] for expert in frozen["config"]["experts"]]


def _sample_to_json(sample: Sample | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    return {"items": sample.items.tolist(), "strata": sample.strata.tolist(), "shares": sample.shares.tolist()}


def _sample_from_json(written: JsonObject | None) -> Sample | None:
    if written is None:
        return None
    shares = numbers(written["shares"], "shares", 1)
    items, strata = (numbers(written[name], name, 1).astype(np.int64) for name in ("items", "strata"))
    drawn = (
        np.bincount(strata, minlength=len(shares)) if 0 <= strata.min() <= strata.max() < len(shares) else np.zeros(1)
    )
    if len(items) != len(strata) or not (items[1:] > items[:-1]).all() or not drawn.all():
        raise ValueError("expected ascending items, and some of every stratum")
    return Sample(items, strata, shares)
