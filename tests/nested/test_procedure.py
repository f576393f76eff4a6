"""The whole of nested merging in a world where the best merge is known."""

import math

import numpy as np
import pytest

from mapmerge.nested.building import balanced, similarity
from mapmerge.nested.closest import Member, next_nodes
from mapmerge.nested.groups import group_weights
from mapmerge.nested.plan import needed
from mapmerge.nested.scale import unit_score
from mapmerge.nested.tree import leaves
from mapmerge.nested.written import read_tree


def preference(family, *weights):
    return dict(zip(family.experts, weights, strict=True))


def uneven(k):
    return np.linspace(1.0, 3.0, k)[np.random.default_rng(k).permutation(k)]


@pytest.mark.parametrize("k", [2, 3, 5, 8, 16])
def test_it_comes_near_the_best_merge_of_all_and_asks_k_log_k(make_family, make_driver, k):
    family, weights = make_family(k), uneven(k)
    driver = make_driver(family, similarity(family.experts, family.cosines))
    (found,) = driver.roots([preference(family, *weights)])
    assert family.best(weights) - family.worth(found, weights) < 0.01
    assert driver.evaluations <= 12 * k * (math.log2(k) + 0.09)
    assert sorted(driver.names) == sorted(node.name for node in driver.tree.nodes)


def test_metrics_of_mixed_direction_and_scale_are_weighed_alike(make_family, make_driver, mixed):
    family, weights = make_family(4, mixed), uneven(4)
    driver = make_driver(family, balanced(family.experts))
    (found,) = driver.roots([preference(family, *weights)])
    assert family.best(weights) - family.worth(found, weights) < 0.01


def test_nodes_of_four_and_searches_in_rounds_do_as_well(make_family, make_driver):
    family, weights = make_family(4), uneven(4)
    for options in ({"fan_in": 4, "method": "map"}, {"fan_in": 2, "method": "adaptive"}):
        tree = balanced(family.experts, fan_in=options["fan_in"])
        driver = make_driver(family, tree, method=options["method"])
        (found,) = driver.roots([preference(family, *weights)])
        assert family.best(weights) - family.worth(found, weights) < 0.01


def test_the_cautious_rule_gives_nothing_up(make_family, make_driver):
    family = make_family(4)
    weights = preference(family, 1.0, 1.0, 1.0, 1.0)
    worst = {}
    for rule in ("mean", "chebyshev"):
        (found,) = make_driver(family, balanced(family.experts), rule=rule).roots([weights])
        worst[rule] = family.scale.apply(family.gains(found[None]))[0].min()
    assert worst["chebyshev"] >= worst["mean"] - 1e-3


def test_a_new_preference_runs_only_nodes_whose_children_choose_anew(make_family, make_driver):
    family = make_family(4)
    driver = make_driver(family, balanced(family.experts))
    first = preference(family, 1.0, 2.0, 3.0, 1.0)
    everything = driver.merge([first])[0]
    assert driver.names == ["e0--e1", "e2--e3", "e0--e1--e2--e3"]
    spent = driver.evaluations

    again = driver.merge([first, preference(family, 5.0, 10.0, 3.0, 1.0)])
    assert driver.evaluations == spent  # the root alone weighs its groups differently: no child chooses anew
    assert {name: value.tobytes() for name, value in again[0].items()} == {
        name: value.tobytes() for name, value in everything.items()
    }
    assert again[1]["e0--e1--e2--e3"].tobytes() != everything["e0--e1--e2--e3"].tobytes()

    driver.merge([preference(family, 1.0, 2.0, 1.0, 3.0)])
    assert driver.names[3:] == ["e0--e1--e2--e3"]  # one pair chose anew: only what stands on it is run
    assert driver.evaluations == spent + 48


def test_a_preference_of_zero_for_a_whole_group_leaves_the_other_its_own_way(make_family, make_driver):
    family, weights = make_family(4), np.array([1.0, 2.0, 0.0, 0.0])
    (found,) = make_driver(family, balanced(family.experts)).roots([preference(family, *weights)])
    assert family.best(weights) - family.worth(found, weights) < 0.01


def test_identical_experts_share_what_one_would_have(make_family, make_driver):
    family, weights = make_family(3), np.ones(3)
    same = [0, 0, 2]
    family.cosines = family.cosines[np.ix_(same, same)]
    for written in (["e2", ["e0", "e1"]], ["e1", ["e0", "e2"]]):
        driver = make_driver(family, read_tree(written, family.experts))
        (found,) = driver.roots([preference(family, *weights)])
        assert family.best(weights) - family.worth(found, weights) < 0.01


def test_a_child_whose_front_is_one_point_is_that_point(make_family, make_driver):
    """Nothing is wanted of e1 in its pair, so that only one objective is looked at there."""
    family, weights = make_family(3), np.array([1.0, 0.0, 1.0])
    driver = make_driver(family, read_tree([["e0", "e1"], "e2"], family.experts), written={"e1": None})
    chosen = driver.merge([preference(family, 1.0, 0.0, 1.0), preference(family, 4.0, 0.0, 1.0)])
    assert driver.names == ["e0--e1", "e0--e1--e2"]  # whatever the preference
    assert family.best(weights) - family.worth(chosen[0]["e0--e1--e2"], weights) < 0.01


def test_experts_without_an_objective_have_a_coefficient(make_family, make_driver):
    """A pair that steers nothing of its own is judged by all objectives."""
    family = make_family(4)
    driver = make_driver(family, balanced(family.experts), written={"e2": "e0", "e3": "e1"})
    (found,) = driver.roots([preference(family, 1.0, 1.0, 1.0, 1.0)])
    assert np.isfinite(found).all()
    assert {name: len(run.objectives) for name, run in zip(driver.names, driver.runs.values(), strict=True)} == {
        "e0--e1": 4,
        "e2--e3": 4,
        "e0--e1--e2--e3": 4,
    }


def test_the_tree_of_closest_metrics_grows_with_what_is_found(make_family, make_driver, mixed):
    """A finished node's metric is the mean over its experts' objectives, on the scale that all metrics share."""
    family = make_family(4, mixed)
    wanted = preference(family, 1.0, 2.0, 1.0, 2.0)
    driver = make_driver(family, balanced(family.experts))

    def metric(leaves, coefficients):
        places = [family.experts.index(leaf) for leaf in leaves]
        scores = [family.gain(coefficients, place) * mixed[place].sign for place in places]
        units = [unit_score(score, family.objectives[place]) for score, place in zip(scores, places, strict=True)]
        return float(group_weights(leaves, wanted) @ units)

    own = np.eye(4)
    pool = [Member(name, metric([name], row)) for name, row in zip(family.experts, own, strict=True)]
    chosen = {}
    while len(pool) > 1:
        made = next_nodes(pool, family.experts)
        for run in needed([made], [chosen], family.experts):
            driver.runs[run.key] = driver.search(run)
            chosen[run.node.name] = driver.choose(run, wanted)
        merged = {leaf for node in made for leaf in node.leaves}
        pool = [each for each in pool if not merged.issuperset(leaves(each.child))]
        pool += [Member(node, metric(node.leaves, chosen[node.name])) for node in made]
    found, weights = chosen["e0--e1--e2--e3"], np.array(list(wanted.values()))
    assert family.best(weights) - family.worth(found, weights) < 0.02
    assert len(chosen) == 3
