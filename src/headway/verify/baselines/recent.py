"""Runtimes as the recent ones of a user, or the usual ones of a name."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

import numpy as np

from headway.verify.baselines.seen import SERVE, Given

if TYPE_CHECKING:
    from headway.verify.baselines.seen import Seen


def last_two(seen: Seen) -> Given:
    """The mean of the last two outcomes of the user at each submission (n,); NaN = none yet.

    Source: Tsafrir, Etsion, Feitelson (2007), section 3.
    """
    latest: dict[int, tuple[float, float]] = {}
    value, users, y = np.full(len(seen.y), np.nan), seen.user.tolist(), seen.y.tolist()
    for event, row in zip(seen.kinds.tolist(), seen.rows.tolist(), strict=True):
        user = users[row]
        if event == SERVE:
            if user in latest:
                last, before = latest[user]
                value[row] = last if np.isnan(before) else 0.5 * (last + before)
        else:
            last, _ = latest.get(user, (np.nan, np.nan))
            latest[user] = (y[row], last)
    return Given(value)


def usual_of_name(seen: Seen) -> Given:
    """The median of all outcomes of the same user and kind, else of the user; NaN = none yet."""
    of_both: dict[tuple[int, int], list[float]] = {}
    of_user: dict[int, list[float]] = {}
    value, users, y = np.full(len(seen.y), np.nan), seen.user.tolist(), seen.y.tolist()
    for event, row in zip(seen.kinds.tolist(), seen.rows.tolist(), strict=True):
        user = users[row]
        both = (user, int(seen.kind[row]))
        if event == SERVE:
            known = of_both.get(both) or of_user.get(user)
            if known:
                half = len(known) // 2
                value[row] = 0.5 * (known[half] + known[(len(known) - 1) // 2])
        else:
            insort(of_both.setdefault(both, []), y[row])
            insort(of_user.setdefault(user, []), y[row])
    return Given(value)
