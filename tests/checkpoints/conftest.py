from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mapmerge.checkpoints import Checkpoint, open_checkpoint

Save = Callable[[str, Mapping[str, torch.Tensor]], Checkpoint]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(name: str, tensors: Mapping[str, torch.Tensor]) -> Checkpoint:
        path = tmp_path / f"{name}.safetensors"
        save_file(dict(tensors), path)
        return open_checkpoint(path)

    return write
