"""The features of tasks at one moment, in one compiled call; nothing is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from headway.features.running import LOOK, advance, prepare

if TYPE_CHECKING:
    from headway.features.running import Floats, Hashes, Integers


@njit(cache=True)
def look(
    raw: Floats, at_s: float, families: Integers, slots: Floats, tickets: Floats, table: Hashes,
    counters: Integers, values: Floats, begin: int,
) -> None:  # fmt: skip
    """Write the features (n, d) of encoded tasks raw (n, 25), each as if it were the only one.

    The other arguments are those of `running.advance`.
    """
    n = len(raw)
    parts, outcomes = prepare(raw, values, begin)
    advance(
        0, np.full(n, LOOK), np.arange(n), np.full(n, at_s), parts, outcomes, families,
        np.full(n, -1), slots, tickets, table, counters, values, begin,
    )  # fmt: skip
