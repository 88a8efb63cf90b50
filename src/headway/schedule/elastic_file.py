"""A learned controller of an elastic cluster in a file, read without torch."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import ConfigError, InputError
from headway.schedule.elastic import FEATURES, LEVERS, SIZE, VERSION, controller_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.schedule.elastic import Controller


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedElastic:
    """Weights (SIZE,) of a controller, what it was trained for and on."""

    weights: NDArray[np.float64]
    seed: int
    decisions: int
    terms: dict[str, float]  # of the cluster, by name
    prices: dict[str, float]
    trained_on: str  # in words
    validation: dict[str, Any] = field(default_factory=dict)

    @property
    def controller(self) -> Controller:
        """What decides."""
        return controller_of(self.weights)


def save_elastic(learned: LearnedElastic, path: Path) -> None:
    """Write a policy file; the same policy gives the same bytes."""
    said = asdict(learned)
    del said["weights"]
    said |= {"version": VERSION, "features": FEATURES, "levers": LEVERS}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(
            file, weights=learned.weights, said=np.array(json.dumps(said, sort_keys=True))
        )
    partial.replace(path)


def load_elastic(path: Path) -> LearnedElastic:
    """Read a policy file.

    InputError if it is not one; ConfigError if it was trained on other features than these.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            weights = archive["weights"].astype(np.float64)
            said = json.loads(str(archive["said"]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a policy file: {error}") from error
    version = said.pop("version", "?")
    names = (tuple(said.pop("features", ())), tuple(said.pop("levers", ())))
    if version != VERSION or names != (FEATURES, LEVERS) or weights.shape != (SIZE,):
        raise ConfigError(
            f"{path.name} was trained on features of version {version}, this is version {VERSION}: "
            "train it again"
        )
    if not np.isfinite(weights).all():
        raise InputError(f"{path} holds weights that are not numbers")
    return LearnedElastic(weights=weights, **said)
