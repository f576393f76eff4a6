"""`mapmerge.testing.check_evaluator` must catch each broken promise."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from mapmerge.errors import EvaluationError
from mapmerge.evaluators.classification import Classification
from mapmerge.evaluators.item_sets import write_item_set
from mapmerge.records import Metric
from mapmerge.testing import check_evaluator

counter = itertools.count()


class Nameless(Classification):
    name = ""


class Unlike(Classification):
    def measure(self, model, items=None):
        return (super().measure(model, items) + np.float32(next(counter))) * np.float32(1e-6)


class Prefix(Classification):
    def measure(self, model, items=None):
        return super().measure(model)[: len(self) if items is None else len(items)]


class Double(Classification):
    def measure(self, model, items=None):
        return super().measure(model, items).astype(np.float64)


class Listed(Classification):
    def measure(self, model, items=None):
        return super().measure(model, items).tolist()


class Short(Classification):
    def measure(self, model, items=None):
        return super().measure(model, items)[1:]


class Holes(Classification):
    def measure(self, model, items=None):
        return super().measure(model, items) * np.float32(np.nan)


class Percent(Classification):
    def measure(self, model, items=None):
        return super().measure(model, items) * np.float32(100)


class Negative(Classification):
    metric = Metric("negative", lower=0.5, upper=None, maximize=True)


class Restless(Classification):
    @property
    def identity(self):
        return {"opened": next(counter)}


class Tuples(Classification):
    @property
    def identity(self):
        return {"shape": (1, 2)}


class Unwritable(Classification):
    @property
    def identity(self):
        return {"device": torch.device("cpu")}


class Anonymous(Classification):
    item_ids = ()


class Lenient(Classification):
    @classmethod
    def open(cls, items, options, *, root, device):
        return super().open(items, {}, root=root, device=device)


class Mirrored(Classification):
    def measure_margins(self, model, items=None):
        return -super().measure_margins(model, items)


class Endless(Classification):
    def measure_margins(self, model, items=None):
        return super().measure_margins(model, items) * np.float32(np.inf)


class Few(Classification):
    def measure_margins(self, model, items=None):
        return super().measure_margins(model, items)[1:]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Mirrored, "above 0 where the outcome is 1"),
        (Endless, "NaN or infinite margins"),
        (Few, "a margin for each outcome"),
        (Nameless, "`name` must be a non-empty str"),
        (Unlike, "twice must give the same bits"),
        (Prefix, "just these items in their order"),
        (Double, "must return float32"),
        (Listed, "must return a NumPy array"),
        (Short, "must return shape"),
        (Holes, "raise EvaluationError instead"),
        (Percent, "above the metric's upper end"),
        (Negative, "below the metric's lower end"),
        (Restless, "the same whenever the same items are opened"),
        (Tuples, "come back from JSON as it went in"),
        (Unwritable, "plain JSON"),
        (Anonymous, "0 ids for 40 items"),
        (Lenient, "must raise ConfigError for an option it does not know"),
    ],
)
def test_a_broken_promise_is_named(tmp_path, broken, message):
    rng = np.random.default_rng(0)
    write_item_set(tmp_path / "items.safetensors", rng.normal(size=(40, 3)), rng.integers(0, 3, 40))
    with pytest.raises(AssertionError, match=message):
        check_evaluator(broken, "items.safetensors", {}, root=tmp_path, model=nn.Identity().eval())


def test_errors_of_the_evaluator_come_through(tmp_path):
    rng = np.random.default_rng(0)
    write_item_set(tmp_path / "items.safetensors", rng.normal(size=(8, 3)), np.arange(8) % 3)
    with pytest.raises(EvaluationError):
        check_evaluator(Classification, "items.safetensors", {}, root=tmp_path, model=nn.Flatten(0).eval())
