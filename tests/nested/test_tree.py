import json
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import ConfigError
from mapmerge.nested.tree import Tree, join
from mapmerge.nested.written import read_tree

EXPERTS = ["cars", "birds", "digits", "maps", "signs"]


def nested(names, draw):
    """Put names into nested lists of two to four entries."""
    if len(names) == 1:
        return names[0]
    parts = draw(st.integers(2, min(4, len(names))))
    ends = sorted(draw(st.sets(st.integers(1, len(names) - 1), min_size=parts - 1, max_size=parts - 1)))
    return [nested(names[a:b], draw) for a, b in pairwise([0, *ends, len(names)])]


@settings(max_examples=40, deadline=None)
@given(data=st.data(), k=st.integers(2, 20))
def test_a_tree_comes_back_from_json_and_does_not_depend_on_the_order_it_is_written_in(data, k):
    experts = [f"expert-{index}" for index in range(k)]
    tree = read_tree(nested(data.draw(st.permutations(experts)), data.draw), experts)
    assert tree.root.leaves == tuple(experts)
    assert read_tree(json.loads(json.dumps(tree.to_json())), experts) == tree

    def mirrored(entry):
        return entry if isinstance(entry, str) else [mirrored(child) for child in reversed(entry)]

    assert read_tree(mirrored(tree.to_json()), experts) == tree
    names = [node.name for node in tree.nodes]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name) for name in names)
    seen = set(experts)
    for level in tree.levels:
        for node in level:
            assert {child if isinstance(child, str) else child.name for child in node.children} <= seen
        seen |= {node.name for node in level}


def test_names_are_the_experts_as_long_as_they_are_short_and_never_the_same():
    long = [f"expert-with-a-long-name-{index}" for index in range(4)]
    whole, half = join(long, long), join(long[:3], long)
    assert whole.name.startswith("expert-with-a-long-name-0--3-more-")
    assert len(whole.name) <= 60
    assert whole.name != half.name
    odd = ["a--b", "c", "a", "b--c"]
    assert join(odd[:2], odd).name != join(odd[2:], odd).name
    endless = ["x" * 63, "y" * 63]
    assert len(join(endless, endless).name) == 60


def test_nodes_become_ready_when_their_children_are_done():
    tree = read_tree([["cars", "birds"], ["digits", ["maps", "signs"]]], EXPERTS)
    assert [node.name for node in tree.ready(())] == ["cars--birds", "maps--signs"]
    assert [node.name for node in tree.ready({"maps--signs"})] == ["cars--birds", "digits--maps--signs"]
    assert [node.name for node in tree.ready({"cars--birds", "maps--signs"})] == ["digits--maps--signs"]
    assert [node.height for node in tree.nodes] == [1, 1, 2, 3]
    assert tree.ready({node.name for node in tree.nodes}) == ()


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ([["cars", "birds"], ["digits", ["maps", "cars"]], "signs"], "'cars' is there 2 times"),
        ([["cars", "birds"], ["digits", "maps"]], "'signs' is left out"),
        ([["cars", "birds"], ["digits", ["map", "signs"]]], "no expert is called 'map'; did you mean 'maps'"),
        (EXPERTS, "from 2 to 4 children, got 5"),
        ([["cars"], ["birds", "digits", "maps", "signs"]], r"tree\[0\]: a node has .* without a list of its own"),
        ([["cars", "birds"], [], ["digits", "maps", "signs"]], r"tree\[1\]: .* an empty list"),
        ([["cars", "birds"], ["digits", 7, "maps", "signs"]], r"tree\[1\]\[1\]: expected the name of an expert .* 7"),
        ("cars", "expert 'birds' is left out"),
        ({"cars": "birds"}, "expected the name of an expert or a list"),
        ([[[["cars"]]], "birds"], "from 2 to 4 children, got 1"),
    ],
)
def test_a_tree_that_is_none_is_refused_in_words(written, problem):
    with pytest.raises(ConfigError, match=problem):
        read_tree(written, EXPERTS)


def test_one_expert_has_no_tree():
    with pytest.raises(ConfigError, match="needs at least 2 experts, there is 1"):
        read_tree("cars", ["cars"])


def test_an_expert_with_the_name_of_a_node_is_refused():
    with pytest.raises(ConfigError, match="both called 'a--b'; rename the expert"):
        read_tree([["a", "b"], "a--b"], ["a", "b", "a--b"])


def test_a_node_of_one_or_five_is_refused():
    with pytest.raises(ConfigError, match="from 2 to 4 children, but one has cars"):
        join(["cars"], EXPERTS)
    with pytest.raises(ConfigError, match="from 2 to 4 children"):
        join(EXPERTS, EXPERTS)
    with pytest.raises(ConfigError, match="'signs' is left out"):
        Tree(tuple(EXPERTS), join(EXPERTS[:4], EXPERTS))
