import itertools
import time

from mapmerge.ledger.patience import HASTY, Patience


def test_pauses_grow_to_the_longest_and_differ(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    pauses = list(itertools.islice(Patience(pause=0.5, longest_pause=4.0).pauses(), 50))
    for pause, most in zip(pauses, [0.5, 1.0, 2.0, *[4.0] * 47], strict=True):
        assert most / 2 <= pause <= most
    assert len(set(pauses)) == 50


def test_the_patience_counts_from_the_first_failure_and_ends(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pauses = Patience().pauses()
    now += 5000.0  # what was well until now costs no patience
    waited = 0.0
    for pause in pauses:
        now, waited = now + pause, waited + pause
    assert 300.0 <= round(waited, 6) <= 300.0


def test_the_hasty_try_once():
    assert list(HASTY.pauses()) == []
