"""What is sent to Prefect, and how often."""

from tasks import artifacts


def test_progress_is_sent_at_its_end_and_otherwise_at_most_once_a_second(monkeypatch):
    sent, clock = [], [0.0]
    monkeypatch.setattr(artifacts, "create_progress_artifact", lambda **_: "id")
    monkeypatch.setattr(artifacts, "update_progress_artifact", lambda artifact_id, progress: sent.append(progress))
    monkeypatch.setattr(artifacts.time, "monotonic", lambda: clock[0])
    page = artifacts.RoundProgress("study", "a round", 20)
    for seconds, done in ((0.5, 2), (0.9, 4), (1.0, 4), (1.2, 8), (1.9, 10), (2.5, 11), (2.6, 20), (2.7, 20)):
        clock[0] = seconds
        page.update(done)
    assert sent == [20.0, 55.0, 100.0]
