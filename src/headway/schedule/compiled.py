"""Compile a function to machine code, kept on disk until any compiled source changes.

    compiled    may make arrays
    bare        may not; does not count who uses those it is given, which is most of the time that
                small functions of large tuples of arrays take (2.4 times on a whole simulation)

numba keeps what it compiled by the file of the function alone: a caller would go on running the old
machine code of a function it calls in another file that has changed since. Here the kept code of
every file depends on the text of all of them.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., Any])

FOLDERS = ("schedule", "simulate")


def compiled(function: Function) -> Function:
    """The function, compiled at its first call; lets other threads run meanwhile."""
    return _compiled(function, {"nogil": True})


def bare(function: Function) -> Function:
    """The same for a function that makes no arrays, neither itself nor by what it calls."""
    return _compiled(function, {"nogil": True, "_nrt": False})


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    kept = njit(cache=True, **options)(function)
    index = getattr(getattr(kept, "_cache", None), "_cache_file", None)
    if index is None or not hasattr(
        index, "_version"
    ):  # another numba: slower to start, never stale
        return cast("Function", njit(**options)(function))
    index._version = _version()  # read before the rest, which may name what is no longer there
    return cast("Function", kept)


@functools.cache
def _version() -> str:
    """The version of numba and a digest of all files that hold compiled functions."""
    here = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((here / folder).glob("*.py")):
            text = path.read_bytes()
            if b"@compiled" in text or b"@bare" in text:
                digest.update(text)
    return f"{numba.__version__} {digest.hexdigest()}"
