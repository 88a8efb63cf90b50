"""Learned headroom in a file, read without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.archive import read_archive, write_archive
from headway.errors import ConfigError, InputError
from headway.predict.headroom import FEATURES, SIZE, VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def save_headroom(weights: NDArray[np.float64], path: Path, trained_on: str) -> None:
    """Write weights (SIZE,) and, in words, what they were trained on."""
    said = {"version": VERSION, "features": FEATURES, "trained_on": trained_on}
    write_archive(path, {"weights": weights}, said)


def load_headroom(path: Path) -> NDArray[np.float64]:
    """The weights of a file.

    InputError if it is not one; ConfigError if it was trained on other features than these.
    """
    arrays, said = read_archive(path, "a file of headroom", ("weights",))
    weights = arrays["weights"].astype(np.float64)
    is_known = said.get("version") == VERSION and tuple(said.get("features", ())) == FEATURES
    if not is_known or weights.shape != (SIZE,):
        raise ConfigError(
            f"{path.name} was trained on features of version {said.get('version', '?')}, this is "
            f"version {VERSION}: train it again"
        )
    if not np.isfinite(weights).all():
        raise InputError(f"{path} holds weights that are not numbers")
    return weights
