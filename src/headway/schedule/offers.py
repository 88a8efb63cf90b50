"""Whether a task that waits is offered to another cluster, where it would start at once.

    OFFERED   of a task, where it waits and where it would start; weighed and summed
    always            1
    log_runtime       predicted runtime, ln s / 10
    log_request       requested runtime, ln s / 10
    log_procs         ln processors / 10
    share             its processors / those of the other machine
    left              processors that stay free there / those of the machine
    log_ahead         ln (1 + tasks that wait before it) / 5
    log_behind        ln (1 + tasks that wait behind it) / 5
    log_there         ln (1 + tasks that wait there) / 5
    log_waited        ln (1 + seconds that it waits) / 10

It is offered if the sum is above zero, the highest sum first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

OFFERED: Final = (
    "always", "log_runtime", "log_request", "log_procs", "share", "left", "log_ahead",
    "log_behind", "log_there", "log_waited",
)  # fmt: skip


class Offer(NamedTuple):
    """A task that waits, and a cluster where it would start."""

    value_s: float  # predicted runtime
    asked_s: float
    waited_s: float
    procs: int
    ahead: int  # tasks
    behind: int
    there: int
    free: int  # processors there
    total: int


@compiled
def are_offered(gate: Floats) -> bool:
    """Whether weights (OFFERED,) can offer anything."""
    return bool(gate[0] > 0.0 or np.any(gate[1:] != 0.0))


@bare
def offer_score(gate: Floats, offer: Offer) -> float:
    """The sum by weights (OFFERED,)."""
    total = float(offer.total)
    return (
        gate[0]
        + gate[1] * math.log(max(offer.value_s, 1.0)) / 10.0
        + gate[2] * math.log(max(offer.asked_s, 1.0)) / 10.0
        + gate[3] * math.log(offer.procs) / 10.0
        + gate[4] * offer.procs / total
        + gate[5] * (offer.free - offer.procs) / total
        + gate[6] * math.log1p(offer.ahead) / 5.0
        + gate[7] * math.log1p(offer.behind) / 5.0
        + gate[8] * math.log1p(offer.there) / 5.0
        + gate[9] * math.log1p(offer.waited_s) / 10.0
    )
