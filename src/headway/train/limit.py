"""When a training run has used up its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def within(
    minutes: float, clock: Callable[[], float], progress: Callable[[str, float], None]
) -> Callable[[float], bool]:
    """What a trainer asks after each round, told the share of its decisions: whether to go on.

    It shows the larger of that share and of the minutes since now, by a clock in seconds; 0 = no
    limit.
    """
    began = clock()

    def goes_on(share: float) -> bool:
        used = (clock() - began) / (60.0 * minutes) if minutes else 0.0
        progress("Training", min(max(share, used), 1.0))
        return used < 1.0

    return goes_on
