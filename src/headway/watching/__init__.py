"""Sources that are followed while they grow: what is new about them, alert by alert.

`follow` makes a follower of a file of series or of a home's history; its `poll` gives what is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.watching.histories import FollowedHistory
from headway.watching.series import FollowedSeries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["FollowedHistory", "FollowedSeries", "follow"]


def follow(
    series: Path | None,
    home: Path,
    *,
    time: str = "",
    value: str = "",
    detectors: Sequence[str] = ("auto",),
) -> FollowedSeries | FollowedHistory:
    """What follows a file of series, or a home's history where there is none."""
    if series is None:
        return FollowedHistory(home)
    return FollowedSeries(series, home, time=time, value=value, detectors=detectors)
