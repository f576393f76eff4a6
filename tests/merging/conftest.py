from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mapmerge.checkpoints import Checkpoint, open_checkpoint


class Small(torch.nn.Module):
    """A little of everything: a normalisation with running values, a counter, and a tied output."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(7, 5)
        self.norm = torch.nn.BatchNorm1d(5)
        self.hidden = torch.nn.Linear(5, 5)
        self.head = torch.nn.Linear(5, 7, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("positions", torch.arange(5.0), persistent=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.embed(tokens) + self.positions)
        return self.head(torch.relu(self.hidden(hidden)))


@dataclass(frozen=True)
class Family:
    """A base model and its experts, in memory and on disk."""

    folder: Path
    states: Sequence[Mapping[str, torch.Tensor]]
    architecture: type[torch.nn.Module]

    @property
    def base(self) -> Checkpoint:
        return open_checkpoint(self.folder / "0.safetensors")

    @property
    def experts(self) -> list[Checkpoint]:
        return [open_checkpoint(self.folder / f"{index}.safetensors") for index in range(1, len(self.states))]

    def naive(self, coefficients: Sequence[float]) -> dict[str, torch.Tensor]:
        base, *experts = self.states
        return {
            name: theta + sum(c * (e[name] - theta) for c, e in zip(coefficients, experts, strict=True))
            if theta.is_floating_point()
            else theta
            for name, theta in base.items()
        }


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    torch.manual_seed(0)
    base = {name: value.clone() for name, value in Small().state_dict().items() if name != "head.weight"}
    base["norm.num_batches_tracked"] = torch.tensor(41)
    base["norm.running_var"] = torch.rand(5) + 0.5
    experts = [
        {n: v + 0.1 * torch.randn_like(v) if v.is_floating_point() else v + i for n, v in base.items()}
        for i in range(1, 4)
    ]
    folder = tmp_path_factory.mktemp("family")
    for index, state in enumerate([base, *experts]):
        save_file(state, folder / f"{index}.safetensors")
    return Family(folder, [base, *experts], Small)
