"""Every method from end to end: real models, a real Prefect server, and the same front however it is computed."""

import random

import pytest

from flows.pareto import find_front
from mapmerge.finished import FinishedRun

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

METHODS = ("adaptive", "bayesian", "bayesian-paper", "direct", "nsga2", "random")
PAID = ("evaluations", "evaluations_reused", "items_forwarded", "warnings")


def found(result):
    """Return what a run found, without when, where and for how much."""
    left = {key for key in result if key not in ("run_uri", "run_id", "seconds", "provenance", *PAID)}
    return {key: result[key] for key in left}


def run(family, output, name, method, *more):
    units = 4 if method == "bayesian" else 8  # BoTorch takes its time for each candidate
    overrides = [f"method={method}", f"budget.evaluations={units}", "budget.front=5", *more]
    return FinishedRun.open(find_front(str(family / "study.yaml"), str(output), name, overrides)).result


@pytest.mark.parametrize("method", METHODS)
def test_what_the_ledger_has_is_not_measured_again_and_the_front_is_the_same(digits_family, tmp_path, method):
    whole = run(digits_family, tmp_path, "whole", method)
    assert whole["method"] == method
    assert 1 <= len(whole["front"]) <= 5
    assert whole["evaluations_failed"] == whole["evaluations_reused"] == 0
    records = sorted((tmp_path / "evaluations").rglob("*.json"))
    lost = random.Random(0).sample(records, len(records) // 2)
    for record in lost:
        record.unlink()
    again = run(digits_family, tmp_path, "again", method)
    assert found(again) == found(whole)
    assert again["evaluations"] == len(lost)
    assert again["evaluations_reused"] == len(records) - len(lost)


@pytest.mark.parametrize("method", ["adaptive", "bayesian"])
def test_ray_finds_the_same_front_as_one_process(digits_family, local_ray, tmp_path, method):
    serial = run(digits_family, tmp_path / "serial", "one", method)
    actors = ["compute.executor=ray", "compute.num_cpus=0.5", "compute.actors=2"]
    assert found(run(digits_family, tmp_path / "ray", "one", method, *actors)) == found(serial)


def test_samples_make_a_search_cheaper(digits_family, tmp_path):
    few = run(digits_family, tmp_path, "adaptive", "adaptive")
    searched = few["history"][-1]
    assert searched["evaluations"] > 2 * 8  # more candidates than full evaluations
    assert searched["items_forwarded"] <= 8 * 2 * 200  # for no more items
