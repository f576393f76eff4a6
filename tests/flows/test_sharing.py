"""Two drivers that start the same study at the same moment pay for one."""

import json
import signal
import time
from collections import Counter

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

OBJECTIVES = {
    name: {"peak": peak, "marks": "marks", "seconds": 0.1} for name, peak in (("z", [0.8, 0.1]), ("a", [0.1, 0.8]))
}


def claimed(output, run_id):
    """Tell whether a run measures something at this moment."""
    try:
        return any(f'"run":"{run_id}"' in claim.read_text() for claim in (output / "claims").rglob("*.json"))
    except FileNotFoundError:  # it was given back meanwhile
        return False


@pytest.mark.parametrize("killed", [False, True])
def test_concurrent_runs_of_one_study_pay_once(mapmerge, start, probe_family, tmp_path, killed):
    study, output = probe_family(objectives=OBJECTIVES), tmp_path / "out"
    (study.parent / "marks").mkdir()
    processes = [start("run", study, "--output", output, "--run-id", name, "--json") for name in ("one", "two")]
    if killed:  # in the middle: the other one measures what was in flight
        while not claimed(output, "one") and processes[0].poll() is None:
            time.sleep(0.01)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].communicate()
        results = [json.loads(processes[1].communicate(timeout=120)[0])]
        said = mapmerge("resume", output / "runs" / "one", "--json")
        assert said.code == 0, said.err
        results.append(said.json)
    else:
        results = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert results[0]["front"] == results[1]["front"]
    # Each evaluator leaves a mark a measurement, named by item set and candidate.
    marks = Counter(mark.name.rpartition("_")[0] for mark in (study.parent / "marks").iterdir())
    records = len(list((output / "evaluations").rglob("*.json")))
    in_flight = 2 if killed else 0  # of the one that was killed: a candidate with two objectives
    assert records <= sum(marks.values()) <= records + in_flight
    paid = [result["evaluations"] for result in results]
    assert sum(paid) == records
    assert [result["evaluations"] + result["evaluations_reused"] for result in results] == [records, records]
    if not killed:
        assert min(paid) > 0  # both took part
    assert not list((output / "claims").rglob("*.json"))
    assert mapmerge("verify", output / "runs" / "one").code == 0
