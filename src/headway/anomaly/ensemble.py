"""Many detectors as one: each calibrated on its own past, then what they say averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.anomaly.calibrated import write
from headway.anomaly.rarity import rarity
from headway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.anomaly.calibrated import Calibrated

    Floats = NDArray[np.float64]

MOST: Final = 0.25  # share of the strangest member beside the mean
_STEP: Final = 0.1  # how far a verdict moves the weights of members


class Ensemble:
    """A Detector whose rarity is the mean of its members' rarities, a quarter of it the most.

    Rarity is the number of decades of a member's tail probability. The mean alone would let members
    that cannot see a kind of anomaly outvote the one that does; the most alone trusts the noisiest.
    Verdicts on alerts move weight to members that were stranger at what was real.
    Source: averaging calibrated scores after Aggarwal, Sathe (2015), "Theoretical foundations and
    algorithms for outlier ensembles"; the quarter is our own, see benchmarks/nab.py.
    """

    def __init__(self, members: Sequence[Calibrated]) -> None:
        """members: detectors that have learned alike."""
        if not members:
            raise ConfigError("an ensemble needs at least one member, got none")
        self.name = "ensemble"
        self.members = tuple(members)
        self.weights = np.ones(len(members))

    def score(self, at_s: float, y: Floats) -> Floats:
        """The point y (n,) that follows -> (n,) in [0, 1]."""
        said = rarity(self.scores(at_s, y))
        known = np.isfinite(said)
        weights = self.weights[:, None] * known
        total = weights.sum(axis=0)
        weighed = np.nan_to_num(said) * weights
        mean = weighed.sum(axis=0) / np.maximum(total, 1e-9)
        most = weighed.max(axis=0, initial=0.0) / self.weights.max()
        decades = np.where(total > 0, (1.0 - MOST) * mean + MOST * most, np.nan)
        return np.asarray(1.0 - 10.0**-decades, dtype=np.float64)

    def scores(self, at_s: float, y: Floats) -> Floats:
        """What each member says, (members, n)."""
        return np.stack([member.score(at_s, y) for member in self.members])

    def learn(self, at_s: float, y: Floats) -> None:
        """The next point y (n,)."""
        for member in self.members:
            member.learn(at_s, y)

    def judge(self, scores: Floats, is_real: bool) -> None:
        """A verdict on an alert of which members said scores (members,): the strangest gain by it.

        After noise they lose. Weights are at least 0.1 and 1 in the mean.
        """
        said = np.nan_to_num(rarity(scores))
        if said.sum() > 0:
            share = said / said.sum() - 1.0 / len(said)
            moved = self.weights * np.exp((_STEP if is_real else -_STEP) * len(said) * share)
            moved = np.maximum(moved, 0.1)
            self.weights = moved / moved.mean()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was learned, by name."""
        named = {f"{m.name}/{k}": v for m in self.members for k, v in m.arrays().items()}
        return named | {"weights": self.weights}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        self.weights = arrays["weights"]
        for m in self.members:
            mine = f"{m.name}/"
            m.restore({k.removeprefix(mine): v for k, v in arrays.items() if k.startswith(mine)})

    def save(self, folder: Path) -> None:
        """Keep it in a folder."""
        write(folder, self.name, self.settings, self.arrays())

    @property
    def settings(self) -> dict[str, Any]:
        """The names and settings of its members."""
        return {"members": [[m.name, m.statistic.settings] for m in self.members]}
