import numpy as np
import pytest

from mapmerge.errors import BadInputError
from mapmerge.fronts.bootstrap import bootstrap_interval, bootstrap_scores, quantiles
from mapmerge.fronts.comparisons import Comparison, compare
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.fronts.promises import Promise
from mapmerge.fronts.verdict import told_apart, verdict
from mapmerge.records import Interval

UNIT = Normalisation(np.array([0.5, 0.5]), np.array([0.9, 0.9]))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def hits(rates: list[list[float]], items: int, seed: int) -> list[np.ndarray]:
    """Outcomes of models with these hit rates; items are hard or easy for all models alike."""
    generator = rng(seed)
    table = np.asarray(rates)
    return [(generator.random(items) < table[:, j : j + 1]).astype(np.float32) for j in range(table.shape[1])]


def split(outcomes: list[np.ndarray], *sizes: int) -> list[list[np.ndarray]]:
    edges = np.cumsum(sizes)[:-1]
    return [list(part) for part in zip(*(np.split(table, edges) for table in outcomes), strict=True)]


def test_redrawn_scores_have_the_mean_and_the_spread_of_the_items() -> None:
    outcomes = [rng().random((3, 400)), rng(1).random((3, 100))]
    drawn = bootstrap_scores(outcomes, draws=4000, rng=rng(2))
    assert drawn.shape == (4000, 3, 2)
    for j, table in enumerate(outcomes):
        assert np.allclose(drawn[:, :, j].mean(axis=0), table.mean(axis=1), atol=3e-3)
        assert np.allclose(drawn[:, :, j].std(axis=0), table.std(axis=1) / np.sqrt(table.shape[1]), rtol=0.1)


def test_points_are_redrawn_together() -> None:
    table = rng().random((1, 50))
    drawn = bootstrap_scores([np.vstack([table, table, 1.0 - table])], draws=30, rng=rng(1))
    assert np.array_equal(drawn[:, 0], drawn[:, 1])
    assert np.allclose(drawn[:, 0] + drawn[:, 2], 1.0)


def test_many_items_are_redrawn_in_blocks_without_a_change() -> None:
    table = (rng().random((2, 300_000)) < 0.5).astype(np.float32)
    drawn = bootstrap_scores([table], draws=8, rng=rng(1))
    assert np.abs(drawn - 0.5).max() < 0.006
    assert len(np.unique(drawn[:, 0, 0])) == 8


@pytest.mark.parametrize(
    ("outcomes", "draws", "words"),
    [
        ([], 10, "one .points, items. table"),
        ([np.ones((2, 0))], 10, "one .points, items. table"),
        ([np.ones(3)], 10, "one .points, items. table"),
        ([np.ones((2, 3)), np.ones((3, 3))], 10, "same points"),
        ([np.array([[np.nan, 1.0]])], 10, "not finite"),
        ([np.ones((2, 3))], 0, "at least 1"),
    ],
)
def test_bad_outcomes_are_named(outcomes: list[np.ndarray], draws: int, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        bootstrap_scores(outcomes, draws=draws, rng=rng())


@pytest.mark.parametrize("level", [0.0, 1.0, 90.0, float("nan")])
def test_a_level_out_of_range_is_refused(level: float) -> None:
    with pytest.raises(BadInputError, match="between 0 and 1"):
        quantiles(np.ones(3), level=level)


def test_the_interval_takes_the_luck_of_the_front_off_again() -> None:
    lucky = bootstrap_interval(1.0, np.linspace(1.0, 1.4, 101), level=0.9)
    assert lucky.low == pytest.approx(0.62)
    assert lucky.high == 1.0  # widened to contain the estimate


def test_intervals_of_hypervolume_cover_the_truth() -> None:
    angle = np.linspace(0.1, np.pi / 2 - 0.1, 12)
    rates = (0.5 + 0.4 * np.stack([np.cos(angle), np.sin(angle)], axis=1)).tolist()
    truth = hypervolume(UNIT.apply(np.asarray(rates)), np.zeros(2))
    inside = 0
    for seed in range(40):
        generator = rng(seed)
        own = [(generator.random((12, 300)) < np.asarray(rates)[:, j : j + 1]).astype(np.float32) for j in range(2)]
        interval = compare(own, {}, UNIT, rng=generator, draws=100).front.hypervolume
        inside += interval.low <= truth <= interval.high
    assert inside >= 30  # expected 36 of 40


def test_a_clear_gain_a_draw_and_a_loss_are_told_apart() -> None:
    rates = [[0.85, 0.6], [0.6, 0.85], [0.65, 0.65], [0.85, 0.6], [0.6, 0.85], [0.89, 0.89]]
    front, worse, same, better = split(hits(rates, 2000, 0), 2, 1, 2, 1)
    report = compare(front, {"uniform": worse, "twin": same, "oracle": better}, UNIT, rng=rng(), draws=200)
    words = {comparison.baseline: comparison.words for comparison in report.comparisons}
    assert words == {"uniform": "better", "twin": "no difference beyond the noise", "oracle": "worse"}
    for comparison in report.comparisons:
        gap = report.front.hypervolume.value - comparison.hypervolume.value
        assert comparison.difference.value == pytest.approx(gap)
        assert comparison.difference.low <= gap <= comparison.difference.high
        assert report.baselines[comparison.baseline].hypervolume == comparison.hypervolume


def test_scores_and_their_intervals_are_those_of_the_items() -> None:
    outcomes = hits([[0.9, 0.7], [1.0, 0.6]], 500, 3)
    report = compare(outcomes, {}, UNIT, rng=rng(), draws=200)
    assert np.allclose(report.front.scores, np.stack([table.mean(axis=1) for table in outcomes], axis=1))
    assert (report.front.low <= report.front.scores).all()
    assert (report.front.high >= report.front.scores).all()
    assert report.front.high.max() <= 1.0
    assert report.front.low[1, 0] < 1.0  # 500 right answers do not prove that there never is a wrong one
    assert report.probability_nondominated.shape == (2,)


def test_an_error_rate_has_the_mirrored_interval_of_the_accuracy() -> None:
    outcomes = hits([[0.9, 0.7], [1.0, 0.6]], 500, 3)
    right = compare(outcomes, {}, UNIT, rng=rng(), draws=50).front
    wrong = compare([table - 1.0 for table in outcomes], {}, UNIT, rng=rng(), draws=50).front
    assert np.allclose(wrong.low + 1.0, right.low)
    assert np.allclose(wrong.high + 1.0, right.high)


def test_pairing_makes_small_differences_visible() -> None:
    easy = rng(5).random((1, 1000))
    outcomes = [np.vstack([easy < 0.70, easy < 0.66]).astype(np.float32)] * 2
    front, base = split(outcomes, 1, 1)
    report = compare(front, {"base": base}, UNIT, rng=rng(), draws=300)
    alone = report.front.hypervolume
    assert report.comparisons[0].words == "better"
    assert report.comparisons[0].difference.high - report.comparisons[0].difference.low < 0.6 * (alone.high - alone.low)


def test_equal_generators_give_equal_reports() -> None:
    outcomes = hits([[0.9, 0.7], [0.7, 0.9]], 100, 3)
    first, second = (compare(outcomes, {"x": outcomes}, UNIT, rng=rng(9), draws=50) for _ in range(2))
    assert first.comparisons == second.comparisons
    assert first.front.hypervolume == second.front.hypervolume


def test_eight_objectives_work() -> None:
    m = 8
    unit = Normalisation(np.full(m, 0.5), np.full(m, 0.9))
    rates = (0.7 + 0.1 * np.eye(m)).repeat(4, axis=0).tolist()
    front, base = split(hits([*rates, [0.6] * m], 200, 0), 32, 1)
    report = compare(front, {"uniform": base}, unit, rng=rng(), draws=40)
    assert report.comparisons[0].words == "better"
    assert report.front.hypervolume.low <= report.front.hypervolume.value <= report.front.hypervolume.high


def test_sets_that_do_not_fit_are_named() -> None:
    good = hits([[0.9, 0.7]], 20, 0)
    with pytest.raises(BadInputError, match="2 objectives for baseline 'uniform'"):
        compare(good, {"uniform": good[:1]}, UNIT, rng=rng())
    with pytest.raises(BadInputError, match="same items of objective 1"):
        compare(good, {"uniform": [good[0], good[1][:, :5]]}, UNIT, rng=rng())
    with pytest.raises(BadInputError, match=r"one or more.* of the front"):
        compare([table[:0] for table in good], {}, UNIT, rng=rng())


def against(name: str, value: float, low: float, high: float) -> Comparison:
    return Comparison(name, Interval(0.4, 0.35, 0.45), Interval(value, low, high))


def test_the_verdict_says_what_is_so() -> None:
    text = verdict(
        [
            against("experts", 0.3, 0.2, 0.4),
            against("uniform", 0.01, -0.02, 0.04),
            against("random_search", -0.2, -0.3, -0.1),
            against("my merge", 0.1, 0.05, 0.15),
        ],
        hypervolume=Interval(0.5, 0.45, 0.55),
        predicted=0.7,
        level=0.9,
        delivered=10,
        dominated=2,
        untrusted=["digits"],
    )
    assert "better than the unmerged models (+0.300, 90 % interval 0.200 to 0.400) and my merge (" in text
    assert "No gain over the uniform merge (+0.010" in text
    assert "worse than random search at equal cost (-0.200" in text
    assert "0.700 was predicted, which was too optimistic" in text
    assert "Of 10 delivered models 2 are dominated" in text
    assert "surrogate of digits failed its checks" in text


@pytest.mark.parametrize(
    ("predicted", "ending"), [(0.5, "0.500 was predicted."), (0.2, "too pessimistic."), (0.9, "too optimistic.")]
)
def test_the_verdict_compares_prediction_with_measurement(predicted: float, ending: str) -> None:
    interval = Interval(0.5, 0.4, 0.6)
    text = verdict([], hypervolume=interval, predicted=predicted, level=0.9, delivered=1, dominated=0)
    assert text.endswith(ending)


def test_the_verdict_admits_an_empty_front() -> None:
    text = verdict([], hypervolume=Interval(0.0, 0.0, 0.0), predicted=0.2, level=0.9, delivered=3, dominated=1)
    assert "no delivered model is above the reference point" in text
    assert "Of 3 delivered models 1 is dominated" in text


def test_the_verdict_says_which_promises_were_broken() -> None:
    def said(**values: float) -> str:
        return verdict(
            [],
            hypervolume=Interval(0.5, 0.4, 0.6),
            predicted=0.5,
            level=0.9,
            delivered=3,
            dominated=0,
            promised={name: Promise(Interval(v, v - 0.01, v + 0.01), abs(v) > 0.01) for name, v in values.items()},
        )

    assert "surrogates" not in said(digits=0.002, cars=-0.001)
    assert "the surrogates promised too much on digits (by 0.034): more than" in said(digits=0.0341, cars=-0.001)
    both = said(digits=0.0341, cars=-0.02, signs=0.5)
    assert "too much on digits (by 0.034) and signs (by 0.5), and promised too little on cars (by 0.02)" in both


@pytest.mark.parametrize(
    ("alike", "words"),
    [
        ([["p02"], ["p01"], []], "2 of 3 front points cannot be told apart from another one: they differ by no more"),
        ([[], [], []], "The 3 front points can all be told apart from each other."),
        (
            [["uniform", "expert digits"], ["uniform"], []],
            "2 of them cannot be told apart from the uniform merge, 1 not",
        ),
        ([["base", "best_scalar"]], "The one front point cannot be told apart from the base model and the best single"),
    ],
)
def test_a_person_is_told_which_points_are_alike(alike: list[list[str]], words: str) -> None:
    front = [{"id": f"p{place + 1:02d}", "indistinguishable_from": names} for place, names in enumerate(alike)]
    assert words in told_apart(front)


def test_nothing_is_said_of_what_a_result_does_not_know() -> None:
    assert told_apart([{"id": "p01"}, {"id": "p02"}]) == ""
    assert told_apart([{"id": "p01", "indistinguishable_from": []}]) == ""
