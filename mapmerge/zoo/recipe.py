"""How large a family is and how long it is trained."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sizes and training effort. The defaults make a family worth studying; tests make smaller ones.

    A quarter of the images of a source goes to each of the two item sets, up to `items`; of the rest, up to `train`
    images are trained on.

    Args:
        items: most items of a search or held-out set.
        train: most training images of an objective.
        base_share: share of the training images that the base sees, in 0..1.
        base_epochs: passes of the base over the largest of its training sets.
        base_batch: images of each objective in one step of the base.
        base_rate: highest learning rate of the base.
        expert_epochs: passes of an expert over its training images.
        expert_batch: images in one step of an expert.
        expert_rate: highest learning rate of an expert; the larger, the more the experts get in each other's way.
    """

    items: int = 1000
    train: int = 3000
    base_share: float = 0.1
    base_epochs: int = 20
    base_batch: int = 32
    base_rate: float = 2e-3
    expert_epochs: int = 5
    expert_batch: int = 64
    expert_rate: float = 3e-3
