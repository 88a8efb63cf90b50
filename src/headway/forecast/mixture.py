"""The combination: every member at every past origin, then the best of them for each series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.forecast.answer import LEVELS, answer, refusals
from headway.forecast.combination import losses, mixed, weights_of, widened, widths
from headway.forecast.past import Past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.protocols import Forecaster
    from headway.records import Estimate

    Floats = NDArray[np.float64]

ORIGINS: Final = 6  # at which members are judged
NAMED: Final = 0.1  # share in an answer from which a member signs it


class Evidence:
    """What members said at past origins, and what came: the last ORIGINS of them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.said: list[Floats] = []  # (m, h, n, q) each
        self.came: list[Floats] = []  # (h, n) each

    def add(self, said: Floats, came: Floats) -> None:
        """One more origin; the oldest goes."""
        self.said = [*self.said, said][-ORIGINS:]
        self.came = [*self.came, came][-ORIGINS:]

    def judged(self, members: int, scale: Floats) -> tuple[Floats, Floats]:
        """Weights (m, n) of so many members and factors (n, q) of widths, for scale (n,).

        Equal weights and factors of 1 as long as no outcome has come.
        """
        n = len(scale)
        if not self.said:
            return np.full((members, n), 1.0 / members), np.ones((n, len(LEVELS)))
        said, came = np.stack(self.said, axis=1), np.stack(self.came)
        loss = losses(came, said, scale)
        return weights_of(loss), widths(came, said, loss)


class Mixture:
    """Members mixed by how well they did at past origins of this panel, a horizon apart.

    Members are handed in new; they are told of points as time goes on, and asked at every origin
    before they are told what came.
    """

    name = "mixture"

    def __init__(
        self, members: Sequence[Forecaster], horizon: int, *, step_s: float = 3600.0
    ) -> None:
        """`horizon`: steps from origin to origin, over which members are judged."""
        if not members or horizon < 1:
            raise ConfigError(
                f"a mixture needs members and a horizon of at least 1, got {len(members)} and"
                f" {horizon}"
            )
        self._members, self._horizon = list(members), horizon
        self._past, self._evidence = Past(step_s), Evidence()
        self._open: tuple[int, Floats] | None = None  # the last origin, what members said there

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add the points y (n_steps, n_series) that follow; NaN = not observed.

        Origins lie at whole multiples of the horizon from the first point, the last ORIGINS of
        them at the most.
        """
        known, every = len(self._past.at_s), self._horizon
        self._past.append(at_s, y)
        end = len(self._past.at_s)
        first = max(known // every + 1, end // every - ORIGINS, 1)
        for origin in range(first * every, end + 1, every):
            self._tell(known, origin)
            known = origin
            if self._open is not None and self._open[0] + every == origin:
                self._evidence.add(self._open[1], self._past.y[origin - every : origin])
            self._open = origin, self._ask(every)
        self._tell(known, end)

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        y = self._past.y
        self._past.ahead_s(horizon)
        said = self._ask(horizon)
        weights, factors = self._evidence.judged(len(self._members), scale_of(y))
        quantiles = widened(mixed(said, weights), factors)
        names = [str(getattr(member, "name", type(member).__name__)) for member in self._members]
        return answer(y, quantiles, made_by=signatures(names, weights), refused=refusals(y))

    def _tell(self, start: int, end: int) -> None:
        """Let every member learn some of the past."""
        if end > start:
            for member in self._members:
                member.learn(self._past.at_s[start:end], self._past.y[start:end])

    def _ask(self, horizon: int) -> Floats:
        """What members say now, (m, horizon, n, q); NaN where one refuses."""
        return np.stack([member.forecast(horizon).quantiles for member in self._members])


def signatures(names: Sequence[str], weights: Floats) -> NDArray[np.str_]:
    """Who made the answer of each series, (n,), by weights (m, n): those whose share counts."""
    signed = []
    for shares in weights.T:
        order = [i for i in np.argsort(-shares) if shares[i] >= NAMED]
        signed.append("+".join(f"{names[i]} {shares[i]:.2f}" for i in order))
    return np.array(signed)


def scale_of(y: Floats) -> Floats:
    """A size of each series (n,) by which losses are compared: its mean change; never 0."""
    steps = np.abs(np.diff(y, axis=0))
    known = np.isfinite(steps)
    mean = np.where(known, steps, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(mean > 0, mean, 1.0)
