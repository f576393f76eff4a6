"""The methods by the names that studies use."""

from collections.abc import Callable

from mapmerge.methods.adaptive import Adaptive
from mapmerge.methods.bayesian import Bayesian
from mapmerge.methods.direct import DirectSearch
from mapmerge.methods.evolution import EvolutionarySearch
from mapmerge.methods.nested import Nested
from mapmerge.methods.paper_bins import PaperBins
from mapmerge.methods.plain import PlainMap
from mapmerge.methods.protocol import Brief, Method
from mapmerge.methods.random_search import RandomSearch

METHODS: dict[str, Callable[[Brief], Method]] = {
    "adaptive": Adaptive,
    "bayesian": Bayesian,
    "bayesian-paper": PaperBins,
    "direct": DirectSearch,
    "map": PlainMap,
    "nested": Nested,
    "nsga2": EvolutionarySearch,
    "random": RandomSearch,
}
"""One entry for each value that `method` of a study may have."""


def method_of(brief: Brief) -> Method:
    """Return the method that a study asks for.

    Raises:
        ConfigError: the study does not fit the method.
    """
    return METHODS[brief.config.method](brief)
