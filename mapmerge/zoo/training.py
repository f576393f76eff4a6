"""Training on the CPU that gives the same bytes each time: the joint base, then one expert for each objective."""

import copy
import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mapmerge.randomness import generator
from mapmerge.zoo.recipe import Recipe
from mapmerge.zoo.sources import Images
from mapmerge.zoo.vision import WIDTH, encoder


def train_base(
    sets: Sequence[Images], classes: Sequence[int], *, recipe: Recipe, seed: int
) -> tuple[nn.Module, list[nn.Linear]]:
    """Train one encoder on all objectives together, with a linear head for each.

    Args:
        sets: training images of each objective.
        classes: how many labels each objective has.
        recipe: effort.
        seed: same seed, same weights.

    Returns:
        The encoder, and the heads, which stay as they are from now on.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "base weights").integers(2**63)))
        model = encoder()
        heads = [nn.Linear(4 * WIDTH, count) for count in classes]
    rng = generator(seed, "base batches")
    staged = [_staged(images) for images in sets]
    steps = -(-recipe.base_epochs * max(map(len, sets)) // recipe.base_batch)
    parameters = [*model.parameters(), *itertools.chain.from_iterable(head.parameters() for head in heads)]
    optimizer, schedule = _optimizer(parameters, recipe.base_rate, steps)
    for _ in range(steps):
        # Every objective has the same say in every step, however few images it has.
        rows = [torch.from_numpy(rng.integers(len(labels), size=recipe.base_batch)) for _, labels in staged]
        inputs = torch.cat([pixels[chosen] for (pixels, _), chosen in zip(staged, rows, strict=True)])
        features = torch.split(model(inputs), recipe.base_batch)
        losses = [
            functional.cross_entropy(head(part), labels[chosen])
            for head, part, (_, labels), chosen in zip(heads, features, staged, rows, strict=True)
        ]
        _step(torch.stack(losses).mean(), optimizer, schedule)
    return model, heads


def train_experts(
    base: nn.Module,
    heads: Sequence[nn.Linear],
    sets: Sequence[Images],
    *,
    names: Sequence[str],
    recipe: Recipe,
    seed: int,
) -> Iterator[nn.Module]:
    """Fine-tune the base for each objective, side by side on the cores of this machine.

    Args:
        base: the encoder to start from; left as it is.
        heads: the frozen head of each objective.
        sets: training images of each objective.
        names: name of each objective, which picks its random stream.
        recipe: effort.
        seed: same seed, same weights, whatever is trained beside.

    Returns:
        The experts, in the order given, each as soon as it and those before it are ready.
    """

    def train(head: nn.Linear, images: Images, name: str) -> nn.Module:
        return _fine_tuned(base, head, images, recipe=recipe, rng=generator(seed, "expert batches", name))

    # Threads, not processes: the kernels release the interpreter, and a caller's script needs no guard.
    with ThreadPoolExecutor(max_workers=min(len(names), os.cpu_count() or 1)) as executor:
        yield from executor.map(train, heads, sets, names)


def _fine_tuned(
    base: nn.Module, head: nn.Linear, images: Images, *, recipe: Recipe, rng: np.random.Generator
) -> nn.Module:
    """Return a copy of the base, trained on one objective under its frozen head."""
    model = copy.deepcopy(base)
    pixels, labels = _staged(images)
    weight, bias = head.weight.detach(), head.bias.detach()
    steps = recipe.expert_epochs * -(-len(labels) // recipe.expert_batch)
    optimizer, schedule = _optimizer(list(model.parameters()), recipe.expert_rate, steps)
    for _ in range(recipe.expert_epochs):
        order = torch.from_numpy(rng.permutation(len(labels)))
        for rows in torch.split(order, recipe.expert_batch):
            logits = functional.linear(model(pixels[rows]), weight, bias)
            _step(functional.cross_entropy(logits, labels[rows]), optimizer, schedule)
    return model


def _staged(images: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixels as float32 [i, 1, 28, 28] in 0..1, and labels."""
    return torch.from_numpy(images.pixels).unsqueeze(1).float() / 255, torch.from_numpy(images.labels)


def _optimizer(
    parameters: list[nn.Parameter], rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return AdamW whose learning rate rises to `rate` and falls to nothing within `steps`."""
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)


def _step(loss: torch.Tensor, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    """Change the parameters once, against the gradient of the loss."""
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()
    schedule.step()
