"""A learned order of the queue: its weights in a file, and the policy that a live cluster asks.

The file is a numpy archive without pickle: the weights, the version and names of what they look at,
and where they come from. Serving needs nothing but numpy and the compiled scores.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, InputError
from headway.schedule.network import SIZE, Network, network_of
from headway.schedule.observation import COMMON, FEATURES, VERSION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DEFAULT: Final = Path(__file__).parent / "default.npz"
"""The policy that Headway ships: `learned:default`."""
PREFIX: Final = "learned:"
BACKFILL_LEVEL: Final = 0.75
"""The quantile of a predicted runtime by which learned policies judge who may jump the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Weights (SIZE,) of a scoring network and where they come from."""

    weights: Floats
    algo: str
    seed: int
    decisions: int  # that it was trained on
    backfill: str  # easy | reserve | none: what it was trained with
    trained_on: str  # in words
    validation: dict[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        """The network that scores."""
        return network_of(self.weights)


def save_learned(learned: Learned, path: Path) -> None:
    """Write a policy file; the same policy gives the same bytes."""
    said = asdict(learned)
    del said["weights"]
    said |= {"version": VERSION, "features": FEATURES, "common": COMMON}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez(file, weights=learned.weights, said=np.array(json.dumps(said, sort_keys=True)))
    partial.replace(path)


def load_learned(path: Path) -> Learned:
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
    names = (tuple(said.pop("features", ())), tuple(said.pop("common", ())))
    if version != VERSION or names != (FEATURES, COMMON) or weights.shape != (SIZE,):
        raise ConfigError(
            f"{path.name} was trained on features of version {version}, this is version {VERSION}: "
            "train it again with `headway train scheduler`"
        )
    if not np.isfinite(weights).all():
        raise InputError(f"{path} holds weights that are not numbers")
    return Learned(weights=weights, **said)


def learned_named(name: str) -> Learned:
    """The policy of a name on the command line: learned:default or learned:PATH."""
    where = name.removeprefix(PREFIX)
    return load_learned(DEFAULT if where == "default" else Path(where))
