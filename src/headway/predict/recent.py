"""The mean of the last two runtimes of a user: hard to beat by anything as simple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.records import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.protocols import Features

_NEVER: Final = 2**62  # it has nothing to refit


class Recent:
    """The mean of the last two outcomes of the user, at most the request; nothing is learned.

    It says one number (level 0.5). A user without history is refused.
    Source: Tsafrir, Etsion, Feitelson (2007), section 3.
    """

    def __init__(self) -> None:
        """No settings."""
        self.levels = np.array([0.5])

    def predict(self, x: Features) -> Estimate:
        """The mean of the user's last two runtimes, capped at the limit."""
        last, before = x.column("user.last_s"), x.column("user.before_s")
        value = np.where(np.isnan(before), last, (last + before) / 2.0)
        value = np.fmin(value, np.where(np.isnan(value), np.nan, x.column("limit_s")))
        refused = np.where(np.isnan(value), "no task of this user has ended yet", "")
        return Estimate(
            value=value,
            levels=self.levels,
            quantiles=value[:, None].copy(),
            made_by=np.full(len(x), "recent-1"),
            refused=refused.astype("U64"),
        )

    def learn(self, x: Features, y: NDArray[np.float64], censored: NDArray[np.bool_]) -> None:
        """Nothing: the history is in the features."""

    def rows_to_refit(self) -> int:
        """Never changes."""
        return _NEVER

    def save(self) -> dict[str, bytes]:
        """It has nothing to keep."""
        return {}
