"""Which items samples are drawn from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import auto_counts, pool_sizes, samples_for


@pytest.fixture(scope="session")
def make_brief(make_world):
    """Make a brief of two objectives over two experts, with item sets of given sizes and a budget in item-forwards."""

    def make(sizes, forwards, seed=0):
        units = max(2, round(forwards / sizes[0]))
        config = make_world().study(method="adaptive", seed=seed, budget={"evaluations": units}).config
        objectives = make_world().objectives[: len(sizes)]
        return Brief(config, objectives, sizes, sizes)

    return make


def seen(brief, rounds=5, n=40):
    """Return the items that any of many samples has, by objective."""
    found = {name: set() for name in brief.names}
    for number in range(rounds):
        for wanted in samples_for(brief, f"round-{number}", n, auto_counts(brief)):
            for name, sample in wanted.items():
                found[name] |= set(sample.items.tolist())
    return found


@settings(max_examples=20, deadline=None)
@given(size=st.integers(2_000, 20_000), seed=st.integers(0, 99))
def test_all_rounds_draw_from_one_part_of_a_large_set(make_brief, size, seed):
    brief = make_brief((size, size), 2 * size, seed)
    for name, items in seen(brief).items():
        part = pool_sizes(brief)[brief.names.index(name)]
        assert len(items) <= part < size
        assert max(items) > part  # from all over the set, not from its beginning


def test_what_is_drawn_from_does_not_grow_with_the_set(make_brief):
    parts = [pool_sizes(make_brief((size, size), 16_000))[0] for size in (4_000, 8_000)]
    assert parts[0] == parts[1] < 4_000


def test_objectives_have_parts_of_their_own(make_brief):
    first, second = seen(make_brief((8_000, 8_000), 16_000)).values()
    assert first != second


def test_small_sets_are_used_whole(make_brief):
    assert pool_sizes(make_brief((200, 300), 4_000))[0] == 200


def test_every_sample_weighs_to_one(make_brief):
    brief = make_brief((5_000, 5_000), 20_000)
    for wanted in samples_for(brief, "design", 5, auto_counts(brief)):
        for sample in wanted.values():
            assert np.all(np.diff(sample.items) > 0)
            assert sample.weights.sum() == pytest.approx(1.0)
