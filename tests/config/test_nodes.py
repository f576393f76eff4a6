"""The study of one node of a merge tree."""

import pytest

from mapmerge.config import StudyConfig
from mapmerge.config.nodes import node_study
from mapmerge.errors import ConfigError
from mapmerge.nested.written import read_tree

TREE = read_tree([["a", "b"], "c"], ["a", "b", "c"])


@pytest.fixture
def whole() -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": "whole",
            "base": "base",
            "architecture": "torch.nn:Identity",
            "experts": [{"name": name, "checkpoint": f"{name}.safetensors"} for name in "abc"],
            "objectives": [{"name": name, "evaluator": "none", "search": "s", "held_out": "h"} for name in "abc"],
            "budget": {"evaluations": 100, "front": 7},
            "design": {"points": 50, "mass": [0.2, 1.5]},
            "gate": {"min_r2": 0.5},
            "seed": 3,
        }
    )


def test_a_node_is_a_study_of_its_children(whole):
    pair, root = (
        node_study(whole, node, names, method="map") for node, names in zip(TREE.nodes, ("ab", "cab"), strict=True)
    )
    assert (pair.name, root.name) == ("a--b", "a--b--c")
    assert [expert.checkpoint for expert in pair.experts] == ["a.safetensors", "b.safetensors"]
    assert [expert.name for expert in root.experts] == ["a--b", "c"]
    assert [objective.name for objective in root.objectives] == ["a", "b", "c"]
    assert pair.evaluations == pair.design_points == 12
    assert (pair.budget.front, pair.design.mass, pair.gate.min_r2) == (7, (0.2, 1.5), 0.5)


def test_nodes_have_seeds_of_their_own_which_the_studys_seed_moves(whole):
    other = whole.model_copy(update={"seed": 4})
    seeds = [node_study(study, node, "abc", method="map").seed for study in (whole, other) for node in TREE.nodes]
    assert len(set(seeds)) == 4
    assert seeds[0] == node_study(whole, TREE.nodes[0], "abc", method="adaptive", evaluations=5).seed


def test_it_comes_back_from_json(whole):
    node = node_study(whole, TREE.root, "abc", method="adaptive", evaluations=9)
    assert StudyConfig.model_validate_json(node.model_dump_json()) == node


def test_a_budget_that_is_too_small_is_refused_by_the_name_of_the_node(whole):
    with pytest.raises(ConfigError, match=r"node 'a--b': 1 problem\n.*give at least 6"):
        node_study(whole, TREE.nodes[0], "ab", method="map", evaluations=5)
