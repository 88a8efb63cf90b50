"""What a predictor says of one task as plain numbers: for what is usual in one compiled call.

Of one row the arrays between compiled functions cost more time than what these do. So for a
calibrated predictor of trees, alone or mixed with the past, one function calls them in turn, on the
very arrays of the predictor, and says the same as `predict`, all digits.
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
from headway.predict.scoring import Plan

if TYPE_CHECKING:
    from headway.predict.risk import Risk
    from headway.protocols import Features

_PLACES: Final = np.zeros(0, dtype=np.uint32)
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


def tell(predictor: Conformal | Risk, x: Features) -> Told:
    """What a predictor says of the only row of x."""
    if isinstance(predictor, Conformal):
        base = predictor._base
        if isinstance(base, Ensemble) and len(base._members) == 1:
            member = base._members[0][1]
            if isinstance(member, Boosted):
                return _of_mixture(predictor, base, member, x)
        elif isinstance(base, First):
            first = base._predictors[0]
            if isinstance(first, Boosted) and first._forest is not None:
                value, *quantiles = ask_trees(
                    x.values, _trees(first, x), _calibration(predictor, x)
                ).tolist()
                return Told(value, tuple(quantiles), f"conformal {first.signature}", "")
    said = predictor.predict(x)
    value, refused = float(said.value[0]), str(said.refused[0])
    quantiles = () if refused else said.quantiles[0].tolist()
    return Told(value, tuple(quantiles), str(said.made_by[0]), refused)


def _of_mixture(shell: Conformal, base: Ensemble, member: Boosted, x: Features) -> Told:
    """As `tell`, of trees that are mixed with the past."""
    leader, value, *quantiles = ask_mixture(
        x.values, _trees(member, x), _guesses(base), _mixture(base), _calibration(shell, x)
    ).tolist()
    if leader < 0.0:
        return Told(value, (), "conformal ", REFUSAL)
    sign = "history-1" if leader == 0.0 else member.signature
    return Told(value, tuple(quantiles), f"conformal {sign}", "")


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
