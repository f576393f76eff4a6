"""The encoder of the vision family: small enough to measure in a moment, real enough for experts to interfere."""

from itertools import pairwise

from torch import nn

WIDTH = 32
"""Channels of the first convolution in the family that is built here."""


def encoder(width: int = WIDTH) -> nn.Module:
    """Return an untrained image encoder: grey pixels in, features out, for a frozen linear head on top.

    Three strided convolutions with group normalisation, which keeps no running statistics that a merge would have to
    estimate again, then one linear layer.

    Args:
        width: channels of the first convolution, a multiple of 8; the next ones have twice and four times as many.

    Returns:
        A module from float [i, 1, 28, 28] in 0..1 to float [i, 4 * width].

    >>> sum(parameter.numel() for parameter in encoder().parameters())
    355392
    >>> import torch
    >>> encoder(8)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 32])
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((1, width, 2 * width, 4 * width)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.GroupNorm(8, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width * 16, 4 * width))
