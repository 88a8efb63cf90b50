"""What the user asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.verify.baselines.seen import Given

if TYPE_CHECKING:
    from headway.verify.baselines.seen import Seen


def request(seen: Seen) -> Given:
    """The request of each task; NaN where there is none."""
    return Given(seen.request.copy())
