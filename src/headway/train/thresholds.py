"""Autoscalers by thresholds, each kind at the settings that are cheapest on a load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.schedule.elastic import controller_of, thresholds
from headway.simulate.elastic import play
from headway.simulate.elastic_batch import avoidable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.elastic import Load, Terms
    from headway.simulate.elastic_batch import Prices

    Floats = NDArray[np.float64]

TIMEOUTS_S: Final = (0.0, 300.0, 600.0, 1200.0, 2400.0, 4800.0)
SHARES: Final = (0.5, 0.75, 0.9)
HEADROOMS: Final = (0.01, 0.02, 0.05, 0.1)
HORIZONS_S: Final = (900.0, 3600.0, 14400.0)
SIZES: Final = 6
KINDS: Final[dict[str, list[dict[str, float]]]] = {
    "timeout": [{"timeout_s": t} for t in TIMEOUTS_S],
    "timeout, share": [{"timeout_s": t, "share": s} for t in TIMEOUTS_S[:2] for s in SHARES],
    "timeout, headroom": [
        {"timeout_s": t, "headroom": h} for t in TIMEOUTS_S[:5] for h in HEADROOMS
    ],
    "timeout, horizon": [
        {"timeout_s": t, "horizon_s": h} for t in TIMEOUTS_S[:2] for h in HORIZONS_S
    ],
}
"""Settings that are tried of each kind, as arguments of `schedule.elastic.thresholds`."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The cheapest of its kind."""

    weights: Floats  # (SIZE,) of a controller
    terms: Terms  # as given; of a fixed cluster, with least = most
    settings: dict[str, float]
    cost: float  # avoidable, on the load


def tune_thresholds(load: Load, terms: Terms, prices: Prices) -> dict[str, Tuned]:
    """The cheapest of each of KINDS, and of fixed sizes, by what a whole load costs."""
    found = {}
    for kind, tried in KINDS.items():
        found[kind] = min(
            (_tried(load, thresholds(**one), terms, prices, one) for one in tried),
            key=lambda tuned: tuned.cost,
        )
    widest = max(int(load.nodes.max(initial=1)), terms.least)
    sizes = np.unique(np.linspace(widest, terms.most, SIZES).astype(int)).tolist()
    found["fixed"] = min(
        (
            _tried(
                load, thresholds(0.0), terms._replace(least=k, most=k), prices, {"nodes": float(k)}
            )
            for k in sizes
        ),
        key=lambda tuned: tuned.cost,
    )
    return found


def _tried(
    load: Load, weights: Floats, terms: Terms, prices: Prices, settings: dict[str, float]
) -> Tuned:
    _, spent, _ = play(load, controller_of(weights), terms, float(load.submit_s[-1]))
    return Tuned(weights, terms, settings, float(avoidable(spent[-1], prices)))
