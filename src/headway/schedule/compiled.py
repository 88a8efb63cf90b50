"""Compile a function to machine code, kept on disk until a source that it reads changes.

    compiled    may make arrays
    bare        may not; does not count who uses those it is given, which is most of the time that
                small functions of large tuples of arrays take (2.4 times on a whole simulation)

numba keeps what it compiled by the file of the function alone: a caller would go on running the old
machine code of a function it calls in another file that has changed since. Here the kept code of
a file depends on its text and on that of all files of FOLDERS that it imports.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., Any])

FOLDERS = ("schedule", "simulate")
_IMPORT = re.compile(r"^\s*from headway\.([\w.]+) import (\([^)]*\)|.*)", re.MULTILINE)
_NAME = re.compile(r"\w+")


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
    # Read before the rest, which may name what is no longer there.
    index._version = _version(Path(function.__code__.co_filename))
    return cast("Function", kept)


@functools.cache
def _version(path: Path) -> str:
    """The version of numba and a digest of a file and of all that it imports of FOLDERS."""
    digest = hashlib.sha256()
    for one in sorted(_read_by(path)):
        digest.update(one.read_bytes())
    return f"{numba.__version__} {digest.hexdigest()}"


def _read_by(path: Path) -> set[Path]:
    """A file and the files of FOLDERS that it imports, and those that they import."""
    root = Path(__file__).parent.parent
    found, left = set(), [path]
    while left:
        one = left.pop()
        if one in found:
            continue
        found.add(one)
        for module, names in _IMPORT.findall(one.read_text()):
            named = [module, *(f"{module}.{name}" for name in _NAME.findall(names))]
            paths = [root.joinpath(*name.split(".")).with_suffix(".py") for name in named]
            left += [p for p in paths if p.parent.name in FOLDERS and p.exists()]
    return found
