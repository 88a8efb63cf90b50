"""A learned order of the queue: its weights in a file, and the policy that a live cluster asks.

The file is a numpy archive without pickle: the weights, the version and names of what they look at,
and where they come from. Serving needs nothing but numpy and the compiled scores. A policy that was
trained for preferences holds a row of weights for each objective; what counts when it decides is
their mixture, so that it may be said anew each time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.archive import read_archive, write_archive
from headway.errors import ConfigError, InputError
from headway.schedule.controller import ACTIONS, STATE
from headway.schedule.controller import SIZE as CONTROLLER_SIZE
from headway.schedule.controller import VERSION as CONTROLLER
from headway.schedule.network import SIZE, Network, network_of
from headway.schedule.observation import COMMON, FEATURES, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DEFAULT: Final = Path(__file__).parent / "default.npz"
"""The policy that Headway ships: `learned:default`."""
PREFERENCES: Final = Path(__file__).parent / "preferences.npz"
"""The one that it ships for preferences: `learned:preferences`."""
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
    objectives: tuple[str, ...] = ()  # k names of schedule.objectives; () = takes no preferences
    matrix: Floats = field(default_factory=lambda: np.empty((0, SIZE)))  # (k, SIZE) of each alone
    controller: Floats = field(default_factory=lambda: np.empty(0))
    """Numbers of what moves the weights (see schedule.controller); none = they stand still."""

    @property
    def network(self) -> Network:
        """The network that scores."""
        return network_of(self.weights)

    def preferring(self, preferences: Mapping[str, float]) -> Learned:
        """The policy for how much each objective counts, those that are not named 0.

        ConfigError if it was not trained for them, a weight is negative, or none is above 0.
        """
        unknown = [name for name in preferences if name not in self.objectives]
        if unknown:
            known = f"takes {', '.join(self.objectives)}" if self.objectives else "takes none"
            raise ConfigError(
                f"prefer names {unknown[0]!r}; this policy {known}. `learned:preferences` is one "
                "that was trained for preferences"
            )
        share = np.array([preferences.get(name, 0.0) for name in self.objectives])
        if not (np.isfinite(share).all() and (share >= 0.0).all() and share.sum() > 0.0):
            raise ConfigError(f"prefer must give weights >= 0, one above 0, got {preferences}")
        return replace(self, weights=share / share.sum() @ self.matrix)


def save_learned(learned: Learned, path: Path) -> None:
    """Write a policy file; the same policy gives the same bytes."""
    said = asdict(learned)
    del said["weights"], said["matrix"], said["controller"]
    said |= {"version": VERSION, "features": FEATURES, "common": COMMON}
    if len(learned.controller):
        said |= {"controller_version": CONTROLLER, "state": STATE, "actions": ACTIONS}
    names = ("weights", "matrix", "controller")
    write_archive(path, {name: getattr(learned, name) for name in names}, said)


def load_learned(path: Path) -> Learned:
    """Read a policy file.

    InputError if it is not one; ConfigError if it was trained on other features than these.
    """
    arrays, said = read_archive(path, "a policy file", ("weights",))
    weights = arrays["weights"].astype(np.float64)
    matrix = arrays.get("matrix", np.empty((0, SIZE)))
    controller = arrays.get("controller", np.empty(0))
    if "common" not in said or "kind" in said:
        raise ConfigError(f"{path.name} orders no queue of one cluster: it is of another training")
    version = said.pop("version", "?")
    names = (tuple(said.pop("features", ())), tuple(said.pop("common", ())))
    objectives = tuple(said.pop("objectives", ()))
    is_shaped = weights.shape == (SIZE,) and matrix.shape == (len(objectives), SIZE)
    if version != VERSION or names != (FEATURES, COMMON) or not is_shaped:
        raise ConfigError(
            f"{path.name} was trained on features of version {version}, this is version {VERSION}: "
            "train it again with `headway train scheduler`"
        )
    _check_controller(path.name, controller, said)
    if not all(np.isfinite(numbers).all() for numbers in (weights, matrix, controller)):
        raise InputError(f"{path} holds weights that are not numbers")
    return Learned(
        weights=weights, matrix=matrix.astype(np.float64), objectives=objectives,
        controller=controller.astype(np.float64), **said,
    )  # fmt: skip


def _check_controller(name: str, controller: Floats, said: dict[str, Any]) -> None:
    """Take what a file says of its controller out of `said`; ConfigError if it is another's."""
    version = said.pop("controller_version", "none")
    names = (tuple(said.pop("state", ())), tuple(said.pop("actions", ())))
    is_ours = version == CONTROLLER and names == (STATE, ACTIONS)
    if len(controller) and not (is_ours and controller.shape == (CONTROLLER_SIZE,)):
        raise ConfigError(
            f"{name} holds a controller of version {version}, this is version {CONTROLLER}: "
            "train it again with `headway train scheduler`"
        )


def learned_named(name: str, preferences: Mapping[str, float] | None = None) -> Learned:
    """The policy of a name on the command line: learned:default, :preferences or :PATH.

    preferences: how much each objective counts, for a policy that was trained for that; None = as
    the file says.
    """
    where = name.removeprefix(PREFIX)
    shipped = {"default": DEFAULT, "preferences": PREFERENCES}
    learned = load_learned(shipped.get(where, Path(where)))
    return learned.preferring(preferences) if preferences else learned
