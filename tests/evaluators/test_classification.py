import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from mapmerge.errors import CheckpointError, ConfigError, EvaluationError, ItemSetError, MissingFileError
from mapmerge.evaluators.classification import Classification
from mapmerge.evaluators.item_sets import write_item_set
from mapmerge.testing import check_evaluator

ITEMS, FEATURES, CLASSES = 37, 6, 4


class Answer(nn.Module):
    """A model that returns whatever a function makes of its inputs."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.eval()

    def forward(self, inputs):
        return self.function(inputs)


def encoder(outputs=FEATURES, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 16), nn.GELU(), nn.Linear(16, outputs)).eval()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(3)
    inputs = rng.integers(0, 256, (ITEMS, 1, 5, 5), dtype=np.uint8)
    write_item_set(tmp_path / "items.safetensors", inputs, np.arange(ITEMS) % CLASSES)
    weight, bias = torch.from_numpy(rng.normal(size=(CLASSES, FEATURES))).float(), torch.arange(CLASSES).float() / 10
    save_file({"weight": weight, "bias": bias}, tmp_path / "head.safetensors")
    save_file({"weight": weight}, tmp_path / "plain.safetensors")
    return tmp_path


def opened(folder, items="items.safetensors", **options):
    return Classification.open(items, options, root=folder, device="cpu")


@pytest.mark.parametrize("head", [None, "head.safetensors", "plain.safetensors"])
@pytest.mark.parametrize("metric", ["accuracy", "cross_entropy"])
@pytest.mark.parametrize("batch_size", [1, 16, 128])
def test_it_keeps_the_promises_of_an_evaluator(folder, head, metric, batch_size):
    options = {"metric": metric, "head": head, "batch_size": batch_size}
    model = encoder(CLASSES if head is None else FEATURES)
    check_evaluator(Classification, "items.safetensors", options, root=folder, model=model)


def test_outcomes_are_those_of_the_definition(folder):
    model = encoder()
    from safetensors.torch import load_file

    items, head = load_file(folder / "items.safetensors"), load_file(folder / "head.safetensors")
    with torch.no_grad():
        logits = model(items["inputs"].float() / 255) @ head["weight"].T + head["bias"]
    right = (logits.argmax(1) == items["labels"]).float().numpy()
    nats = functional.cross_entropy(logits, items["labels"], reduction="none").numpy()
    np.testing.assert_array_equal(opened(folder, head="head.safetensors").measure(model), right)
    measured = opened(folder, head="head.safetensors", metric="cross_entropy").measure(model)
    np.testing.assert_allclose(measured, nats, rtol=1e-5)
    assert 0 < right.mean() < 1


def test_floating_inputs_are_taken_as_they_are(tmp_path):
    inputs = np.array([[3.0, 1.0], [-300.0, 5.0]], dtype=np.float64)
    write_item_set(tmp_path / "items.safetensors", inputs, np.array([0, 1]))
    seen = []
    opened(tmp_path).measure(Answer(lambda x: seen.append(x.clone()) or x))
    np.testing.assert_array_equal(seen[0].numpy(), inputs.astype(np.float32))


def test_batches_are_consecutive_and_of_one_size(folder):
    sizes = []
    opened(folder, batch_size=16).measure(Answer(lambda x: sizes.append(len(x)) or torch.zeros(len(x), CLASSES)))
    assert sizes == [16, 16, 5]


@settings(max_examples=20, deadline=None)
@given(chosen=st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=60), batch_size=st.integers(1, 50))
def test_a_subset_has_the_outcomes_of_its_items(tmp_path_factory, chosen, batch_size):
    folder = tmp_path_factory.getbasetemp() / "subset"
    if not folder.exists():
        inputs = np.random.default_rng(3).integers(0, 256, (ITEMS, 1, 5, 5), dtype=np.uint8)
        write_item_set(folder / "items.safetensors", inputs, np.arange(ITEMS) % CLASSES)
    evaluator = opened(folder, batch_size=batch_size, metric="cross_entropy")
    model, items = encoder(CLASSES), np.array(chosen, dtype=np.int64)
    np.testing.assert_allclose(evaluator.measure(model, items), evaluator.measure(model)[items], rtol=1e-5)


def test_the_same_bits_whatever_was_measured_in_between(folder):
    evaluator = opened(folder, metric="cross_entropy", head="head.safetensors", batch_size=8)
    first = evaluator.measure(encoder())
    evaluator.measure(encoder(seed=1), np.array([4, 2]))
    again = opened(folder, metric="cross_entropy", head="head.safetensors", batch_size=8).measure(encoder())
    assert first.tobytes() == evaluator.measure(encoder()).tobytes() == again.tobytes()


def test_metrics_know_their_range_and_direction(folder):
    accuracy, nats = opened(folder).metric, opened(folder, metric="cross_entropy").metric
    assert (accuracy.lower, accuracy.upper, accuracy.maximize) == (0.0, 1.0, True)
    assert (nats.lower, nats.upper, nats.maximize) == (0.0, None, False)


def test_identity_changes_with_all_that_matters_and_holds_no_path(folder):
    variants = [
        opened(folder),
        opened(folder, metric="cross_entropy"),
        opened(folder, batch_size=64),
        opened(folder, head="head.safetensors"),
        opened(folder, head="plain.safetensors"),
    ]
    texts = {json.dumps(variant.identity, sort_keys=True) for variant in variants}
    assert len(texts) == len(variants)
    assert not any(str(folder) in text or "safetensors" in text for text in texts)
    (folder / "head.safetensors").rename(folder / "moved.safetensors")
    assert opened(folder, head="moved.safetensors").identity == variants[3].identity


def test_absolute_paths_are_fine(folder, tmp_path_factory):
    evaluator = Classification.open(
        folder / "items.safetensors",
        {"head": str(folder / "head.safetensors")},
        root=tmp_path_factory.mktemp("elsewhere"),
        device="cpu",
    )
    assert len(evaluator) == ITEMS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrik": "accuracy"}, "unknown option 'metrik', did you mean 'metric'"),
        ({"zzz": 1}, "unknown option 'zzz', known are 'batch_size', 'head', 'metric'"),
        ({"metric": "f1"}, "option 'metric': .*'accuracy' or 'cross_entropy', came 'f1'"),
        ({"batch_size": 0}, "option 'batch_size': .* came 0"),
        ({"batch_size": "64"}, "option 'batch_size': .* came '64'"),
        ({"batch_size": True}, "option 'batch_size'"),
        ({"head": 3, "metric": None}, "'metric'.*; .*'head'"),
    ],
)
def test_wrong_options_are_named(folder, options, message):
    with pytest.raises(ConfigError, match=message):
        opened(folder, **options)


def test_a_device_that_is_not_there_is_named(folder):
    with pytest.raises(ConfigError, match="device 'nonsense' cannot be used"):
        Classification.open("items.safetensors", {}, root=folder, device="nonsense")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_a_missing_accelerator_is_named(folder):
    with pytest.raises(ConfigError, match="device 'cuda' cannot be used"):
        Classification.open("items.safetensors", {}, root=folder, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
def test_an_accelerator_measures_the_same(folder):
    options = {"metric": "cross_entropy"}
    evaluator = Classification.open("items.safetensors", options, root=folder, device="cuda")
    measured = evaluator.measure(encoder(CLASSES).to("cuda"))
    np.testing.assert_allclose(measured, opened(folder, **options).measure(encoder(CLASSES)), rtol=1e-2)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"bias": torch.ones(4)}, "expected the tensors `weight`"),
        ({"weight": torch.ones(4, 6), "scale": torch.ones(1)}, "at most `bias`"),
        ({"weight": torch.ones(4, 6), "bias": torch.ones(3)}, "`bias` of .classes., came"),
        ({"weight": torch.ones(24)}, "of shape .classes, features."),
        ({"weight": torch.full((4, 6), torch.nan)}, "finite floating-point values in `weight`"),
        ({"weight": torch.ones(4, 6, dtype=torch.int64)}, "finite floating-point values in `weight`"),
    ],
)
def test_unusable_heads_are_named(folder, tensors, message):
    save_file(tensors, folder / "bad.safetensors")
    with pytest.raises(CheckpointError, match=message) as caught:
        opened(folder, head="bad.safetensors")
    assert "bad.safetensors" in str(caught.value)


def test_missing_files_are_named(folder):
    with pytest.raises(MissingFileError, match="nowhere"):
        opened(folder, head="nowhere.safetensors")
    with pytest.raises(MissingFileError, match="nowhere"):
        opened(folder, items="nowhere.safetensors")


def test_a_label_beyond_the_classes_is_refused(folder):
    save_file({"weight": torch.ones(3, FEATURES)}, folder / "three.safetensors")
    with pytest.raises(ItemSetError, match="labels up to 3, but there are only 3 classes"):
        opened(folder, head="three.safetensors")
    with pytest.raises(ItemSetError, match="only 2 classes"):
        opened(folder).measure(encoder(2))


def test_logits_that_are_not_finite_are_an_error_that_names_the_item(folder):
    def spoil(inputs):
        logits = torch.zeros(len(inputs), CLASSES)
        logits[-1, 1] = torch.nan
        return logits

    for metric in ("accuracy", "cross_entropy"):
        evaluator = opened(folder, metric=metric, batch_size=16)
        with pytest.raises(EvaluationError, match="not finite for 3 items, the first is item 15"):
            evaluator.measure(Answer(spoil))
        with pytest.raises(EvaluationError, match="not finite for 1 items, the first is item 30"):
            evaluator.measure(Answer(spoil), np.array([2, 30]))


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x.flatten(1),
        lambda x: torch.zeros(3, FEATURES),
        lambda x: torch.zeros(len(x)),
        lambda x: (torch.zeros(len(x), FEATURES),),
        lambda x: None,
    ],
)
def test_outputs_of_another_shape_are_an_error(folder, answer):
    with pytest.raises(EvaluationError, match=r"expected the model to return a tensor of shape \[37, 6\], came"):
        opened(folder, head="head.safetensors").measure(Answer(answer))


def test_a_model_that_fails_is_an_evaluation_error(folder):
    with pytest.raises(EvaluationError, match=r"failed on inputs of shape \[37, 1, 5, 5\] on cpu: mat1"):
        opened(folder).measure(nn.Sequential(nn.Flatten(), nn.Linear(7, 4)).eval())


def test_a_model_in_training_mode_is_refused(folder):
    with pytest.raises(EvaluationError, match=r"model\.eval\(\)"):
        opened(folder).measure(encoder(CLASSES).train())


@pytest.mark.parametrize(
    "items", [np.array([37]), np.array([-1]), np.array([], dtype=np.int64), np.array([[1]]), np.array([0.5])]
)
def test_indices_out_of_range_are_refused(folder, items):
    with pytest.raises(ItemSetError, match="indices"):
        opened(folder).measure(encoder(CLASSES), items)


def test_margins_are_above_zero_where_the_class_is_right(folder):
    classification, model = opened(folder), encoder(CLASSES)
    assert classification.tells_margins
    margins, outcomes = classification.measure_margins(model), classification.measure(model)
    assert margins.dtype == np.float32
    np.testing.assert_array_equal(margins > 0.0, outcomes == 1.0)
    some = np.array([30, 4, 5])
    np.testing.assert_allclose(classification.measure_margins(model, some), margins[some], rtol=1e-5, atol=1e-6)
    logits = model(classification._inputs).detach().numpy()
    own = logits[np.arange(ITEMS), np.arange(ITEMS) % CLASSES]
    logits[np.arange(ITEMS), np.arange(ITEMS) % CLASSES] = -np.inf
    np.testing.assert_allclose(margins, own - logits.max(axis=1), rtol=1e-4, atol=1e-5)


def test_of_equal_logits_the_first_class_wins_in_margins_too(folder):
    classification = opened(folder)
    equal = Answer(lambda inputs: torch.zeros(len(inputs), CLASSES))
    np.testing.assert_array_equal(classification.measure_margins(equal) > 0.0, classification.measure(equal) == 1.0)


def test_cross_entropy_has_no_margins(folder):
    assert not opened(folder, metric="cross_entropy").tells_margins


def test_logits_that_are_not_finite_have_no_margins(folder):
    broken = Answer(lambda inputs: torch.full((len(inputs), CLASSES), torch.nan))
    with pytest.raises(EvaluationError, match="not finite for 37 items"):
        opened(folder).measure_margins(broken)
