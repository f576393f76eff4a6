"""The top of the report: the verdict, what was merged, what it cost and what came out, in words."""

from collections.abc import Mapping
from html import escape
from typing import Any

from mapmerge.report.formats import count, duration, interval, level, listing, number, plural, volume_digits


def headline(result: Mapping[str, Any]) -> str:
    """Return the title, the verdict, what was merged, and the numbers that a reader asks for first."""
    front, objectives = result["front"], [o["name"] for o in result["objectives"]]
    volume = result["hypervolume"]
    digits = volume_digits(result)
    experts = result["experts"]
    verb = "serves" if len(front) == 1 else "trade off"
    title = f"{plural(len(front), 'merged model')} {verb} {plural(len(objectives), 'objective')}"
    merged = (
        f"{plural(len(experts), 'expert')} ({listing(experts)}) were merged into their base model by "
        f"{result['method']}, for {listing(objectives)}."
    )
    reused, failed = result.get("evaluations_reused", 0), result.get("evaluations_failed", 0)
    facts = [
        (
            "Hypervolume",
            number(volume["value"], digits),
            f"{level(result)} interval {interval(volume['low'], volume['high'], digits)}",
        ),
        (
            "Evaluations",
            count(result["evaluations"]),
            f"{count(reused)} reused, {count(failed)} failed" if reused else f"{count(failed)} failed",
        ),
        ("Item forwards", count(result["items_forwarded"]), "items put through a merged model"),
        ("Wall clock", duration(result["seconds"]), "from start to finish"),
    ]
    cards = "".join(
        f"<div><dt>{escape(name)}</dt><dd><strong>{escape(value)}</strong> <span>{escape(note)}</span></dd></div>"
        for name, value, note in facts
    )
    return (
        f'<p class="eyebrow">Study <b>{escape(str(result["study"]))}</b> · run <b>{escape(str(result["run_id"]))}</b>'
        f" · seed {escape(str(result['seed']))}</p>\n"
        f"<h1>{escape(title)}</h1>\n"
        f'<p class="verdict">{escape(result["verdict"])}</p>\n'
        f'<p class="merged">{escape(merged)}</p>\n'
        f'<dl class="facts">{cards}</dl>\n'
        f'<p class="meaning"><b>What hypervolume means.</b> {escape(_volume_words())}</p>'
        f"{_alerts(result)}"
    )


def _volume_words() -> str:
    return (
        "Every objective is scaled so that 0 is the worst and 1 the best score among the base model and the single "
        "experts; hypervolume is the share of that box that the front covers. 1 would be a single merged model as good "
        "as the best unmerged one in every objective; more is possible where merging beats them."
    )


def _alerts(result: Mapping[str, Any]) -> str:
    alerts = []
    untrusted = sum(not fit["passed"] for fit in result.get("surrogates", {}).values())
    if untrusted:
        alerts.append(f'<a href="#surrogates">{plural(untrusted, "surrogate")} did not pass the gate</a>')
    if result.get("failures"):
        alerts.append(f'<a href="#failures">{plural(len(result["failures"]), "evaluation")} failed</a>')
    if result.get("warnings"):
        alerts.append(f'<a href="#warnings">{plural(len(result["warnings"]), "warning")}</a>')
    return f'\n<p class="alerts">{" · ".join(alerts)}</p>' if alerts else ""
