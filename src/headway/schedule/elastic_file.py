"""A learned controller of an elastic cluster in a file, read without torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.archive import read_archive, write_archive
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
    write_archive(path, {"weights": learned.weights}, said)


def load_elastic(path: Path) -> LearnedElastic:
    """Read a policy file.

    InputError if it is not one; ConfigError if it was trained on other features than these.
    """
    arrays, said = read_archive(path, "a policy file", ("weights",))
    weights = arrays["weights"].astype(np.float64)
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
