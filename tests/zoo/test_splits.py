"""No image leaks between training, search and report, in whatever view."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.zoo.objectives import OBJECTIVES, VisionObjective
from mapmerge.zoo.recipe import Recipe
from mapmerge.zoo.sources import Images, digits, without_duplicates
from mapmerge.zoo.splits import split_objectives
from mapmerge.zoo.views import as_is


def numbered(count: int) -> Images:
    """Images whose label is their own number, so that it can be followed."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return Images(pixels, np.arange(count))


def follow(objective: VisionObjective) -> VisionObjective:
    """The objective with its pixels as they are, and the numbers of the source images as labels."""

    def view(images: Images, rng: np.random.Generator) -> Images:
        return Images(objective.view(images, rng).pixels, images.labels)

    return VisionObjective(objective.name, objective.source, objective.classes, view, objective.words)


SOURCES = {"mnist": numbered(50), "animals": numbered(90), "digits": numbered(20)}


@given(
    seed=st.integers(0, 2**32), items=st.integers(1, 40), train=st.integers(1, 80), k=st.integers(2, len(OBJECTIVES))
)
@settings(max_examples=25, deadline=None)
def test_parts_are_disjoint_by_source_image_across_all_objectives(seed, items, train, k):
    objectives = [follow(one) for one in OBJECTIVES[:k]]
    parts = split_objectives(objectives, SOURCES, recipe=Recipe(items=items, train=train), seed=seed)
    for source in {one.source for one in objectives}:
        same = [parts[one.name] for one in objectives if one.source == source]
        trained, searched, reported = (
            {int(number) for part in same for number in getattr(part, which).labels}
            for which in ("train", "search", "held_out")
        )
        assert not trained & searched
        assert not trained & reported
        assert not searched & reported
        assert all(set(part.base.labels) <= trained for part in same)
        assert all(len(part.search) == len(part.held_out) == len(searched) for part in same)
        assert len(searched) == min(items, len(SOURCES[source]) // 4)
        assert len(trained) <= train


def test_same_seed_same_images_and_another_seed_other_ones():
    objectives = [follow(one) for one in OBJECTIVES]
    one, two, other = (split_objectives(objectives, SOURCES, recipe=Recipe(items=10), seed=seed) for seed in (0, 0, 1))
    for name in one:
        np.testing.assert_array_equal(one[name].search.pixels, two[name].search.pixels)
        assert not np.array_equal(one[name].search.labels, other[name].search.labels)


def test_duplicates_go_and_the_first_of_each_stays():
    images = numbered(5)
    doubled = Images(images.pixels[[0, 1, 0, 2, 1, 3]], np.arange(6))
    kept = without_duplicates(doubled)
    assert kept.labels.tolist() == [0, 1, 3, 5]
    assert len(np.unique(kept.pixels, axis=0)) == len(kept)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda one: one.name)
def test_views_keep_rows_apart_and_leave_the_source_alone(objective):
    source = numbered(20)
    before = source.pixels.copy(), source.labels.copy()
    view = objective.view(source, np.random.default_rng(0))
    assert view.pixels.shape == source.pixels.shape
    assert (view.pixels.dtype, view.labels.dtype) == (np.uint8, np.int64)
    assert len(np.unique(view.pixels, axis=0)) == 20
    np.testing.assert_array_equal(source.pixels, before[0])
    np.testing.assert_array_equal(source.labels, before[1])


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda one: one.name)
def test_every_row_of_a_view_comes_from_the_same_row_of_the_source(objective):
    source, last = numbered(12), np.arange(12) == 11
    other = Images(np.where(last[:, None, None], source.pixels[:, ::-1], source.pixels), source.labels + 1 * last)
    views = [objective.view(images, np.random.default_rng(0)) for images in (source, other)]
    same = [bool((one == two).all()) for one, two in zip(*(view.pixels for view in views), strict=True)]
    assert same == [True] * 11 + [False]
    np.testing.assert_array_equal(views[0].labels[:11], views[1].labels[:11])


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda one: one.name)
def test_labels_are_all_the_classes(objective):
    ten = Images(np.zeros((10, 28, 28), dtype=np.uint8), np.arange(10))
    labels = objective.view(ten, np.random.default_rng(0)).labels
    assert sorted(set(labels)) == list(range(objective.classes))
    assert objective.classes >= 2


def test_no_two_objectives_are_the_same():
    source = Images(numbered(10).pixels, np.arange(10))
    seen = {one.name: one.view(source, np.random.default_rng(0)) for one in OBJECTIVES}
    for one, other in itertools.combinations(OBJECTIVES, 2):
        first, second = seen[one.name], seen[other.name]
        assert (
            one.source != other.source
            or not np.array_equal(first.pixels, second.pixels)
            or not np.array_equal(first.labels, second.labels)
        ), (one.name, other.name)


def test_the_first_eight_objectives_never_change():
    source, digest = numbered(20), hashlib.sha256()
    for one in OBJECTIVES[:8]:
        view = one.view(source, np.random.default_rng(0))
        digest.update(view.pixels.tobytes() + view.labels.astype("<i8").tobytes())
    assert digest.hexdigest() == "560ea67f5cf56ca1c018db939df6ac89a570ef73023135837cee7b8af33f1b4b"


def test_views_do_what_they_say():
    source = numbered(3)
    views = {one.name: one.view(source, np.random.default_rng(0)) for one in OBJECTIVES}
    np.testing.assert_array_equal(views["quarter-turn"].pixels[1], np.rot90(source.pixels[1]))
    np.testing.assert_array_equal(views["parity"].pixels[:, :, 0], source.pixels[:, :, -1])
    assert views["parity"].labels.tolist() == [0, 1, 0]
    assert np.corrcoef(views["negative"].pixels.ravel(), source.pixels.ravel())[0, 1] < -0.8
    assert not np.array_equal(views["tiles"].pixels, source.pixels)
    np.testing.assert_array_equal(views["transposed"].pixels[2], source.pixels[2].T)
    np.testing.assert_array_equal(views["half-turn"].pixels, source.pixels[:, ::-1, ::-1])
    np.testing.assert_array_equal(views["three-quarter-turn"].pixels[2], np.rot90(source.pixels[2], 3))
    np.testing.assert_array_equal(np.sort(views["columns"].pixels, axis=2), np.sort(source.pixels, axis=2))
    np.testing.assert_array_equal(views["animals-quadrants"].pixels[:, :14, 14:], source.pixels[:, 14:, :14])
    np.testing.assert_array_equal(views["lower-half"].pixels[:, 14:], source.pixels[:, 14:])
    np.testing.assert_array_equal(views["animals-half-negative"].pixels[:, :, :14], 255 - source.pixels[:, :, :14])
    np.testing.assert_array_equal(views["checkered"].pixels[:, :4, 4:8], 255 - source.pixels[:, :4, 4:8])
    np.testing.assert_array_equal(views["checkered"].pixels[:, :4, :4], source.pixels[:, :4, :4])
    questions = {name: views[name].labels.tolist() for name in ("below-five", "loops", "thirds", "animals-first")}
    assert questions == {"below-five": [1, 1, 1], "loops": [1, 0, 0], "thirds": [0, 1, 2], "animals-first": [1, 1, 1]}


def test_the_order_of_a_family():
    assert [one.name for one in OBJECTIVES[:2]] == ["mnist", "animals"]
    assert all(one.view is as_is for one in OBJECTIVES[:2])
    assert [one.name for one in OBJECTIVES[2:8]] == [
        "negative",
        "animals-turned",
        "digits",
        "quarter-turn",
        "parity",
        "tiles",
    ]
    assert len({one.name for one in OBJECTIVES}) == len(OBJECTIVES) == 32


def test_digits_are_enlarged_and_use_the_whole_range():
    images = digits()
    assert images.pixels.shape == (1797, 28, 28)
    assert (images.pixels.min(), images.pixels.max()) == (0, 255)
    assert len(np.unique(images.labels)) == 10
