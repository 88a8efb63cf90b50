"""A policy that clusters share, in a file: where tasks go and when their turn comes.

The file is a numpy archive without pickle: the weights, the version and names of what they look at,
the local rule whose keys the lanes move, and where it comes from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.archive import read_archive, write_archive
from headway.errors import ConfigError, InputError
from headway.schedule.routing import COMMON, FEATURES, VERSION
from headway.schedule.routing_network import LANES, SIZE, Router, router_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KIND: Final = "multi-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPolicy:
    """Weights (SIZE,) of a Router and where they come from."""

    weights: Floats
    rule: str  # local rule, of simulate.merged.LOCAL_RULES
    routing: str  # static routing where training began
    seed: int
    decisions: int  # that it was trained on
    trained_on: str  # in words
    validation: dict[str, Any] = field(default_factory=dict)

    @property
    def router(self) -> Router:
        """The weights as they are used."""
        return router_of(self.weights)


def save_routing(policy: RoutingPolicy, path: Path) -> None:
    """Write a policy file; the same policy gives the same bytes."""
    said = asdict(policy)
    del said["weights"]
    said |= {"kind": KIND, **_version()}
    write_archive(path, {"weights": policy.weights}, said)


def load_routing(path: Path) -> RoutingPolicy:
    """Read a policy file.

    InputError if it is not one; ConfigError if it was trained on other features than these.
    """
    arrays, said = read_archive(path, "a policy file", ("weights",))
    weights = arrays["weights"].astype(np.float64)
    if said.pop("kind", "") != KIND:
        raise ConfigError(
            f"{path.name} is not a policy for several clusters: train one with "
            f"`headway train scheduler HISTORY HISTORY --algo {KIND}`"
        )
    known = {name: said.pop(name, None) for name in _version()}
    if known != _version() or weights.shape != (SIZE,):
        raise ConfigError(
            f"{path.name} was trained on features of version {known['version']}, this is version "
            f"{VERSION}: train it again with `headway train scheduler --algo {KIND}`"
        )
    if not np.isfinite(weights).all():
        raise InputError(f"{path} holds weights that are not numbers")
    return RoutingPolicy(weights=weights, **said)


def _version() -> dict[str, Any]:
    """What a file must agree with, as it comes out of JSON."""
    return {
        "version": VERSION,
        "features": list(FEATURES),
        "common": list(COMMON),
        "lanes": list(LANES),
    }
