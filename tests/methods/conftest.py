"""Methods are tested in the world of the studies: this floor borrows its fixtures."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_spec = spec_from_file_location("world_of_studies", Path(__file__).parents[1] / "study" / "conftest.py")
_world = module_from_spec(_spec)
_spec.loader.exec_module(_world)
make_world, metrics = _world.make_world, _world.metrics
