import numpy as np

from mapmerge.nested.building import balanced
from mapmerge.nested.plan import needed

EXPERTS = "abcd"
TREE = balanced(EXPERTS)


def ask(*chosen):
    return needed([TREE.ready(done) for done in chosen], chosen, EXPERTS)


def test_the_lowest_level_is_shared_by_all_preferences():
    assert [(run.node.name, run.waiting) for run in ask({}, {}, {})] == [("a--b", (0, 1, 2)), ("c--d", (0, 1, 2))]


def test_above_it_only_equal_bits_are_shared():
    one = {"a--b": np.array([0.5, 0.25, 0, 0]), "c--d": np.array([0, 0, 0.5, 0.5])}
    equal = {name: value.copy() for name, value in one.items()}
    other = {**one, "a--b": np.array([0.5, np.nextafter(0.25, 1), 0, 0])}
    runs = ask(one, equal, other)
    assert [run.waiting for run in runs] == [(0, 1), (2,)]
    assert runs[0].key != runs[1].key
    assert runs[0].axes.tolist() == [[0.5, 0.25, 0, 0], [0, 0, 0.5, 0.5]]
    assert ask(other)[0].key == runs[1].key  # whoever asks


def test_zero_has_one_sign():
    one = {"a--b": np.zeros(4), "c--d": np.ones(4)}
    negative = {**one, "a--b": -np.zeros(4)}
    assert len(ask(one, negative)) == 1


def test_nothing_is_needed_once_the_root_is_chosen():
    assert ask({node.name: np.ones(4) for node in TREE.nodes}) == ()
