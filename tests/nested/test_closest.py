from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.nested.closest import Member, next_nodes
from mapmerge.nested.tree import Node, Tree, name


def metric_of(node):
    """Return some metric that looks like nothing else, the same for the same node."""
    return (sum(map(ord, node.name)) % 5) / 4


def grow(metrics, *, at_once):
    """Build a whole tree; `at_once` says how many of the running nodes finish before the next step."""
    experts = [f"e{index}" for index in range(len(metrics))]
    pool, most = [Member(name, metric) for name, metric in zip(experts, metrics, strict=True)], 0
    while len(pool) > 1 or pool[0].metric is None:
        made = next_nodes(pool, experts)
        if not at_once:
            made = made[:1]
        taken = {name(child) for node in made for child in node.children}
        pool = [each for each in pool if name(each.child) not in taken] + [Member(node, None) for node in made]
        running = [each for each in pool if each.metric is None]
        most = max(most, len(running))
        assert running
        done = running[-1] if at_once else running[0]  # the last one started finishes first
        pool = [Member(each.child, metric_of(each.child)) if each is done else each for each in pool]
    root = pool[0].child
    assert isinstance(root, Node)
    return Tree(tuple(experts), root), most


@settings(max_examples=60, deadline=None)
@given(metrics=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.6, 1.0]), min_size=2, max_size=9))
def test_nodes_made_side_by_side_give_the_tree_that_one_after_the_other_gives(metrics):
    assert grow(metrics, at_once=True)[0] == grow(metrics, at_once=False)[0]


def test_equal_experts_are_paired_all_at_once_and_others_one_by_one():
    assert grow([0.5] * 8, at_once=True)[1] == 4
    assert grow([0.1, 0.2, 0.4, 0.7], at_once=True)[1] == 1


def test_a_composite_is_as_near_as_its_metric():
    """On one scale a finished node competes with single experts; in per cent and fractions it never would."""
    experts = ["a", "b", "c", "d"]
    pair = next_nodes([Member("a", 0.7), Member("b", 0.71), Member("c", 0.9), Member("d", 0.8)], experts)[0]
    assert pair.leaves == ("a", "b")
    pool = [Member("c", 0.9), Member("d", 0.8), Member(pair, 0.78)]
    assert next_nodes(pool, experts)[0].leaves == ("a", "b", "d")
