"""Find an evaluator by the name a study gives it."""

from importlib.metadata import entry_points

from mapmerge.errors import ConfigError, did_you_mean
from mapmerge.evaluators.protocol import Evaluator

GROUP = "mapmerge.evaluators"
"""The entry-point group in which installed distributions offer evaluators, as `name = "package.module:Class"`."""

_MEMBERS = ("name", "version", "open", "metric", "identity", "item_ids", "warnings", "__len__", "measure")


def load_evaluator(name: str) -> type[Evaluator]:
    """Return the evaluator class that an installed distribution offers under a name.

    Only the evaluator asked for is imported.

    Args:
        name: such as `classification`.

    Raises:
        ConfigError: no distribution offers that name, two do, or what it offers cannot be imported or is no evaluator.

    >>> load_evaluator("classification").__name__
    'Classification'
    """
    offered = entry_points(group=GROUP)
    found = list(dict.fromkeys(point for point in offered if point.name == name))
    if not found:
        raise ConfigError(f"there is no evaluator {name!r}, {did_you_mean(name, offered.names)}")
    if len({point.value for point in found}) > 1:
        values = ", ".join(sorted({point.value for point in found}))
        raise ConfigError(f"evaluator {name!r} is offered more than once ({values}); uninstall all but one")
    try:
        loaded = found[0].load()
    except Exception as error:  # a plug-in may fail in any way while it is imported
        raise ConfigError(
            f"evaluator {name!r} cannot be imported from {found[0].value}: {type(error).__name__}: {error}"
        ) from error
    missing = [member for member in _MEMBERS if not hasattr(loaded, member)]
    if not isinstance(loaded, type) or missing:
        raise ConfigError(
            f"evaluator {name!r}: expected {found[0].value} to be a class with the members of "
            f"mapmerge.evaluators.protocol.Evaluator, it lacks {', '.join(missing) or 'being a class'}"
        )
    evaluator: type[Evaluator] = loaded
    if evaluator.name != name:
        raise ConfigError(
            f"evaluator {name!r}: its class {found[0].value} calls itself {evaluator.name!r}; give both the same name"
        )
    return evaluator
