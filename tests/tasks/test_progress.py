"""Progress reaches whoever listens, and nobody else."""

from tasks.progress import Progress, listening, report


def test_only_the_innermost_listener_hears():
    outer, inner = [], []
    report(Progress("before"))
    with listening(outer.append):
        report(Progress("one"))
        with listening(inner.append):
            report(Progress("two", 1, 2))
        report(Progress("three"))
    report(Progress("after"))
    assert [event.stage for event in outer] == ["one", "three"]
    assert inner == [Progress("two", 1, 2)]
