"""Many arrays as one argument of a compiled function.

Numba looks at every array that it is handed, in every call, and finds it in other places of the
memory each time: of one row that takes longer than what is done with the arrays. A Packed was
looked at once. It holds the very arrays, so what is written into them is seen; where one is put in
the place of another, a new Packed is made.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types
from numba.experimental import structref


@structref.register
class _PackedType(types.StructRef):
    """How numba sees a Packed."""

    def preprocess_fields(self, fields: Any) -> Any:
        return tuple((name, types.unliteral(kind)) for name, kind in fields)  # type: ignore[no-untyped-call]


class Packed(structref.StructRefProxy):
    """A tuple of arrays, numbers and NamedTuples of them; `parts` of it in compiled code."""

    parts: tuple[Any, ...]

    def __new__(cls, parts: tuple[Any, ...]) -> Packed:
        """Look at the parts, which takes as long as handing them over."""
        made: Packed = _pack(parts)
        return made


structref.define_constructor(Packed, _PackedType, ["parts"])  # type: ignore[no-untyped-call]
structref.define_boxing(_PackedType, Packed)  # type: ignore[no-untyped-call]
structref.define_attributes(_PackedType)  # type: ignore[no-untyped-call]


@njit(cache=True)
def _pack(parts: tuple[Any, ...]) -> Packed:
    return Packed(parts)
