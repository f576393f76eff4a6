from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.nested.building import balanced
from mapmerge.nested.cost import costs, draw, runs
from mapmerge.nested.grid import preference_grid
from mapmerge.nested.groups import owners
from mapmerge.nested.written import read_tree

EXPERTS = ["a", "b", "c", "d", "e"]
TREE = read_tree([["a", "b"], [["c", "d"], "e"]], EXPERTS)


def test_a_node_costs_its_candidates_on_what_it_looks_at():
    belongs = owners(["a", "b", "c", "d", "speed"], EXPERTS, {})
    found = costs(TREE, belongs)
    assert {name: cost.evaluations for name, cost in found.items()} == {
        "a--b": 12,
        "c--d": 12,
        "c--d--e": 12,
        "a--b--c--d--e": 30,
    }
    assert costs(TREE, belongs, of_node=lambda fan_in: 5)["a--b"].evaluations == 10


def test_the_tree_is_drawn_with_what_each_node_costs():
    belongs = {name: name for name in EXPERTS}
    assert draw(TREE, costs(TREE, belongs)).splitlines() == [
        "a--b--c--d--e: 6 candidates × 5 objectives = 30 evaluations",
        "├── a--b: 6 candidates × 2 objectives = 12 evaluations",
        "│   ├── a",
        "│   └── b",
        "└── c--d--e: 6 candidates × 3 objectives = 18 evaluations",
        "    ├── c--d: 6 candidates × 2 objectives = 12 evaluations",
        "    │   ├── c",
        "    │   └── d",
        "    └── e",
    ]


def test_preferences_share_nodes_whose_children_cannot_differ():
    belongs = owners(["a", "b", "c", "d", "e"], EXPERTS, {})
    wanted = [
        {"a": 0.2, "b": 0.2, "c": 0.6},
        {"a": 0.5, "b": 0.5},  # a--b as before, of c--d it wants nothing
        {"a": 0.1, "b": 0.1, "c": 0.4, "d": 0.4},  # c--d as when nothing is wanted of it
        {"b": 1.0},
    ]
    assert runs(TREE, belongs, wanted) == {"a--b": 1, "c--d": 1, "c--d--e": 2, "a--b--c--d--e": 4}
    assert set(runs(TREE, belongs, wanted[:1] * 3).values()) == {1}


def test_a_node_that_looks_at_one_objective_chooses_the_same_for_all():
    wanted = [dict(zip("abc", row, strict=True)) for row in preference_grid(5, 3).tolist()]
    assert runs(balanced("abcd"), {"a": "a", "b": "c", "c": "d"}, wanted) == {"a--b": 1, "c--d": 1, "a--b--c--d": 5}


@settings(max_examples=20, deadline=None)
@given(k=st.integers(2, 12), count=st.integers(1, 8), fan_in=st.integers(2, 4))
def test_a_node_is_run_once_on_the_lowest_level_and_for_each_preference_at_most(k, count, fan_in):
    experts = [f"e{index}" for index in range(k)]
    tree = balanced(experts, fan_in=fan_in)
    wanted = [dict(zip(experts, row, strict=True)) for row in preference_grid(count, k).tolist()]
    often = runs(tree, {name: name for name in experts}, wanted)
    assert all(often[node.name] == 1 for node in tree.levels[0])
    assert max(often.values()) <= count
    assert list(often) == [node.name for node in tree.nodes]
