"""Learned headroom in a file, read without torch."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import ConfigError, InputError
from headway.predict.headroom import FEATURES, SIZE, VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def save_headroom(weights: NDArray[np.float64], path: Path, trained_on: str) -> None:
    """Write weights (SIZE,) and, in words, what they were trained on."""
    said = {"version": VERSION, "features": FEATURES, "trained_on": trained_on}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, weights=weights, said=np.array(json.dumps(said)))
    partial.replace(path)


def load_headroom(path: Path) -> NDArray[np.float64]:
    """The weights of a file.

    InputError if it is not one; ConfigError if it was trained on other features than these.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            weights = archive["weights"].astype(np.float64)
            said: dict[str, Any] = json.loads(str(archive["said"]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a file of headroom: {error}") from error
    is_known = said.get("version") == VERSION and tuple(said.get("features", ())) == FEATURES
    if not is_known or weights.shape != (SIZE,):
        raise ConfigError(
            f"{path.name} was trained on features of version {said.get('version', '?')}, this is "
            f"version {VERSION}: train it again"
        )
    if not np.isfinite(weights).all():
        raise InputError(f"{path} holds weights that are not numbers")
    return weights
