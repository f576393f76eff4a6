"""Read a stored surrogate of any kind."""

from mapmerge.errors import BadInputError
from mapmerge.records import JsonObject
from mapmerge.surrogates.gaussian_process import GaussianProcessSurrogate
from mapmerge.surrogates.margins import MarginSurrogate
from mapmerge.surrogates.protocol import Surrogate
from mapmerge.surrogates.quadratic import QuadraticSurrogate
from mapmerge.surrogates.thin import ThinQuadraticSurrogate

_FAMILIES = {
    family.kind: family.from_json
    for family in (QuadraticSurrogate, ThinQuadraticSurrogate, GaussianProcessSurrogate, MarginSurrogate)
}


def surrogate_from_json(plain: JsonObject) -> Surrogate:
    """Rebuild a surrogate from what its `to_json` returned: the same predictions bit for bit.

    Raises:
        BadInputError: the kind is none of ours, the object is of another schema, or a part is missing or no such part.
    """
    kind = plain.get("kind") if isinstance(plain, dict) else plain
    if not isinstance(kind, str) or kind not in _FAMILIES:
        raise BadInputError(f"expected a surrogate of kind {' or '.join(map(repr, _FAMILIES))}, got {str(kind)[:80]!r}")
    return _FAMILIES[kind](plain)
