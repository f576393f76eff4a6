from mapmerge.nested.cost import costs, draw
from mapmerge.nested.groups import owners
from mapmerge.nested.written import read_tree

EXPERTS = ["a", "b", "c", "d", "e"]
TREE = read_tree([["a", "b"], [["c", "d"], "e"]], EXPERTS)


def test_a_node_costs_its_candidates_on_what_it_looks_at():
    belongs = owners(["a", "b", "c", "d", "speed"], EXPERTS, {})
    found = costs(TREE, belongs)
    assert {name: cost.evaluations for name, cost in found.items()} == {
        "a--b": 24,
        "c--d": 24,
        "c--d--e": 24,
        "a--b--c--d--e": 60,
    }
    assert costs(TREE, belongs, of_node=lambda fan_in: 5)["a--b"].evaluations == 10


def test_the_tree_is_drawn_with_what_each_node_costs():
    belongs = {name: name for name in EXPERTS}
    assert draw(TREE, costs(TREE, belongs)).splitlines() == [
        "a--b--c--d--e: 12 candidates × 5 objectives = 60 evaluations",
        "├── a--b: 12 candidates × 2 objectives = 24 evaluations",
        "│   ├── a",
        "│   └── b",
        "└── c--d--e: 12 candidates × 3 objectives = 36 evaluations",
        "    ├── c--d: 12 candidates × 2 objectives = 24 evaluations",
        "    │   ├── c",
        "    │   └── d",
        "    └── e",
    ]
