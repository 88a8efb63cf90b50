"""All that compiled functions do for one row, in one call: the compiled part of `one_row`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from headway.predict import calibration, mixture, past
from headway.predict.answer import quantiles_of
from headway.predict.boosted import means_of
from headway.predict.scoring import Plan, score_few
from headway.predict.window import first_known

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.predict.packed import Packed

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


class Trees(NamedTuple):
    """What `Boosted.predict` looks at."""

    plan: Plan
    places: NDArray[np.uint32]
    anchors: NDArray[np.uint32]
    levels: Floats
    usual: float
    cap: int


class Guesses(NamedTuple):
    """What `Past.of` looks at, see there."""

    places: Integers
    kinds: Integers
    scales: Floats
    cap: int
    size: int
    means: Integers
    chain: Integers
    running: Integers
    ways: Integers


class Mixture(NamedTuple):
    """What `mixture.follow` looks at, see there."""

    owners: Integers
    sums: NDArray[np.float32]
    totals: Floats
    prior: Floats
    keep: Floats
    losses: Floats
    mean: Floats
    levels: Floats


class Calibration(NamedTuple):
    """What `calibration.follow` looks at, see there."""

    places: Integers
    nodes: Floats
    middles: Floats
    levels: Floats
    normal: Floats
    window: Floats
    sorted: Floats
    n: Integers
    now: Floats
    corrections: Floats
    offsets: Floats
    counts: Integers
    step: float
    largest: Floats


@njit(cache=True)
def ask_trees(values: Floats, packed: Packed) -> Floats:
    """As `ask_mixture`, by trees alone: Trees and Calibration."""
    trees, shell = packed.parts
    quantiles, value = _of_trees(values, trees)
    out = np.empty(2 + len(shell.levels))
    out[0], out[1] = 1.0, value[0]
    out[2:] = _calibrated(values, quantiles, shell)
    return out


@njit(cache=True)
def ask_mixture(values: Floats, packed: Packed) -> Floats:
    """[owner who leads, value, quantiles ..] of features (1, d).

    packed: Trees, Guesses, Mixture and Calibration. Owner 0 is the past, below 0 nobody.
    """
    trees, g, m, shell = packed.parts
    believed, lasting = np.empty((1, len(m.owners))), np.empty((1, 4))
    slots = np.empty((1, len(g.chain)), dtype=np.int64)
    past.look(
        values, g.places, g.kinds, g.scales, g.cap, g.size, g.means, g.chain, g.running,
        believed, slots, lasting,
    )  # fmt: skip
    mixture.enter(_of_trees(values, trees)[0], believed, len(g.places))
    value, leader = np.empty(1), np.empty(1, dtype=np.int64)
    served, learned = np.empty((1, len(m.levels))), np.empty((1, len(m.levels)))
    nothing = np.zeros(1, dtype=np.int64)
    mixture.follow(
        nothing, nothing, np.zeros(1), np.zeros(1, dtype=np.bool_), believed, m.owners, g.ways,
        lasting, slots, m.sums, m.totals, m.prior, m.keep, m.losses, m.mean, m.levels,
        value, served, learned, leader,
    )  # fmt: skip
    out = np.empty(2 + len(shell.levels))
    out[0], out[1] = leader[0], value[0]
    out[2:] = _calibrated(values, served, shell)
    return out


@njit(cache=True)
def _of_trees(values: Floats, trees: Trees) -> tuple[Floats, Floats]:
    """Quantiles (1, q) and the value (1,) by trees; NaN before there are any."""
    models = len(trees.plan.tree_at) - 1
    if models == 0:
        return np.full((1, len(trees.levels)), np.nan), np.full(1, np.nan)
    answers = np.empty((1, models))
    score_few(values, trees.places, trees.plan, answers)
    logs = means_of(answers, first_known(values, trees.anchors, trees.usual))
    return quantiles_of(logs, trees.levels, values, trees.cap)


@njit(cache=True)
def _calibrated(values: Floats, quantiles: Floats, shell: Calibration) -> Floats:
    """Quantiles (q,) by the calibration from those (1, ..) that it wraps; NaN where these are."""
    s = shell
    out, nothing = np.empty((1, len(s.levels))), np.zeros(1, dtype=np.int64)
    room = np.empty((1, len(s.nodes) + len(s.levels)))
    calibration.follow(
        nothing, nothing, np.zeros(1), values, s.places, quantiles, room[:, : len(s.nodes)],
        s.nodes, s.middles, s.levels, s.normal, s.window, s.sorted, s.n, s.now, s.corrections,
        s.offsets, s.counts, s.step, s.largest, room[:, len(s.nodes) :], out,
    )  # fmt: skip
    return out[0]
