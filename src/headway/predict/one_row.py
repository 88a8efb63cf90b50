"""What a predictor says of one task as plain numbers: for what is usual in one compiled call.

Of one row the arrays between compiled functions cost more time than what these do. So for a
calibrated predictor of trees, alone or mixed with the past, one function calls them in turn, on the
very arrays of the predictor, which are packed once, and says the same as `predict`, all digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.predict.asking import (
    Calibration,
    Guesses,
    Mixture,
    Trees,
    ask_mixture,
    ask_trees,
)
from headway.predict.boosted import Boosted
from headway.predict.conformal import Conformal
from headway.predict.ensemble import KEEP, LOSSES, PRIOR, REFUSAL, Ensemble
from headway.predict.first import First
from headway.predict.packed import Packed
from headway.predict.scoring import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headway.predict.risk import Risk
    from headway.protocols import Features

    Floats = NDArray[np.float64]

_NO_TREES: Final = Plan(
    columns=np.zeros((1, 4), dtype=np.uint32), cuts=np.zeros(0),
    spans=np.zeros((0, 2), dtype=np.uint32), splits=np.zeros((0, 2), dtype=np.uint32),
    slots=np.zeros((0, 2), dtype=bool), part_at=np.zeros(1, dtype=np.uint32),
    parts=np.zeros((0, 4), dtype=np.uint16), tree_at=np.zeros(1, dtype=np.uint32),
    leaves=np.zeros((0, 32)),
)  # fmt: skip


class Told(NamedTuple):
    """One row of an Estimate; the value is NaN and there are no quantiles where it is refused."""

    value: float
    quantiles: tuple[float, ...]
    made_by: str
    refused: str


class Asked(NamedTuple):
    """How a calibrated predictor is asked in one call, as long as it learns nothing."""

    names: tuple[str, ...]  # of the features
    version: str
    ask: Callable[[Floats, Packed], Floats]
    packed: Packed
    signs: tuple[str, str]  # where the past leads, where the trees do


def tell(predictor: Conformal | Risk, x: Features) -> Told:
    """What a predictor says of the only row of x."""
    if isinstance(predictor, Conformal):
        asked = predictor._asked
        if asked is None or asked.names is not x.names or asked.version != x.version:
            asked = predictor._asked = _asked(predictor, x)
        if asked is not None:
            leader, value, *quantiles = asked.ask(x.values, asked.packed).tolist()
            if leader < 0.0:
                return Told(value, (), "conformal ", REFUSAL)
            return Told(value, tuple(quantiles), asked.signs[leader > 0.0], "")
    said = predictor.predict(x)
    value, refused = float(said.value[0]), str(said.refused[0])
    quantiles = () if refused else said.quantiles[0].tolist()
    return Told(value, tuple(quantiles), str(said.made_by[0]), refused)


def _asked(shell: Conformal, x: Features) -> Asked | None:
    """How a predictor is asked about such features; None = by `predict`."""
    base = shell._base
    ask: Callable[[Floats, Packed], Floats] = ask_trees
    parts: tuple[Guesses | Mixture, ...] = ()
    if isinstance(base, Ensemble) and len(base._members) == 1:
        trees = base._members[0][1]
        ask, parts = ask_mixture, (_guesses(base), _mixture(base))
    elif isinstance(base, First):
        trees = base._predictors[0]
    else:
        return None
    if not isinstance(trees, Boosted) or (isinstance(base, First) and trees._forest is None):
        return None
    packed = Packed((_trees(trees, x), *parts, _calibration(shell, x)))
    signs = "conformal history-1", f"conformal {trees.signature}"
    return Asked(x.names, x.version, ask, packed, signs)


def _trees(boosted: Boosted, x: Features) -> Trees:
    window, forest = boosted._window, boosted._forest
    places, anchors = window.found(x)
    return Trees(
        _NO_TREES if forest is None else forest._plan, places, anchors, boosted.levels,
        window.usual, x.names.index(boosted._cap) if boosted._cap else -1,
    )  # fmt: skip


def _guesses(base: Ensemble) -> Guesses:
    p = base._past
    return Guesses(
        p.places, p.kinds, p.scales, p.cap, p.size, p.means, p.chain, p.running, p.ways
    )  # fmt: skip


def _mixture(base: Ensemble) -> Mixture:
    return Mixture(
        base._owners, base._sums, base._totals, PRIOR, KEEP, LOSSES[int(base._is_memory)],
        base._mean, base.levels,
    )  # fmt: skip


def _calibration(shell: Conformal, x: Features) -> Calibration:
    return Calibration(
        shell.places_in(x.names), shell._nodes, shell._log_middles, shell.levels, shell._normal,
        shell._window, shell._sorted, shell._n, shell._now, shell._corrections, shell._offsets,
        shell._counts, shell._step, shell._largest,
    )  # fmt: skip
