"""Named arrays in one file without pickle: what every learned policy and stopped run is kept in."""

from __future__ import annotations

import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SAID: Final = "said"
"""The array that holds, as JSON, what is said of the others."""


def write_archive(
    path: Path, arrays: Mapping[str, Any], said: Mapping[str, Any] | None = None
) -> None:
    """Write arrays, and what is said of them in words, whole or not at all.

    The same arrays and words give the same bytes. The folder is made if it is not there.
    """
    kept = dict(arrays)
    if said is not None:
        kept[SAID] = np.array(json.dumps(said, sort_keys=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, **kept)
    partial.replace(path)


def read_archive(
    path: Path, what: str, needed: tuple[str, ...]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of a file, and what is said of them ({} if nothing is).

    InputError, which calls it `what`, if it is no archive of arrays or lacks one that is needed.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        said = json.loads(str(arrays.pop(SAID))) if SAID in arrays else {}
    except OSError as error:
        raise InputError(f"{path} is not {what}: {error.strerror or error}") from error
    except (AttributeError, EOFError, TypeError, ValueError, zipfile.BadZipFile, zlib.error):
        raise InputError(f"{path} is not {what}, or not whole") from None
    lacking = [name for name in needed if name not in arrays]
    if lacking:
        raise InputError(f"{path} is not {what}: it has no {', '.join(lacking)}")
    return arrays, said
