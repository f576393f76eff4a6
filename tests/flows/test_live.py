"""Live progress: a line a round in a log, a bar a round on a terminal, never anything on stdout."""

import io

from rich.console import Console

from flows.live import _bar, facts, live_progress
from tasks.progress import Progress, report

ROUND = [
    Progress("design", 0, 4, in_flight=2),
    *(Progress("design", done, 4, failed=done // 2, in_flight=2) for done in range(1, 5)),
    Progress("design", 4, 4, failed=2, hypervolume=0.25, ended=True),
]


def test_a_log_gets_a_line_when_a_round_begins_and_when_it_ends(capsys):
    with live_progress():
        for event in (Progress("prepare"), *ROUND, Progress("search")):
            report(event)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "prepare",
        "design 0/4 2 in flight",
        "design 4/4 2 failed, hypervolume 0.250",
        "search",
    ]


def test_what_others_print_meanwhile_does_not_spoil_the_result(capsys):
    with live_progress():
        print("(raylet) A worker died")
    assert capsys.readouterr() == ("", "(raylet) A worker died\n")


def test_a_terminal_gets_a_bar():
    screen = io.StringIO()
    with _bar(Console(file=screen, force_terminal=True, width=120)) as listener:
        for event in ROUND:
            listener(event)
    assert "design" in screen.getvalue()
    assert "4/4 2 failed, hypervolume 0.250" in screen.getvalue()


def test_facts_say_only_what_there_is():
    assert facts(Progress("design")) == ""
    assert facts(Progress("design", failed=1, hypervolume=1.0)) == "1 failed, hypervolume 1.000"
