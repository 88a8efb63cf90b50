"""One predictor over many: each counts as much as it was worth for tasks like this one."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.predict.answer import repeated
from headway.predict.calibration import LEARN
from headway.predict.mixture import enter, follow
from headway.predict.past import SLOTS, past_of
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.predict.conformal import Refitted
    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

LEVELS: Final = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)
"""Levels that are served."""

PRIOR: Final = np.array([1.0, 50.0, 50.0, 50.0, 50.0])  # outcomes that the wider context is worth
KEEP: Final = np.array([0.999, 0.99, 0.96, 0.94, 0.92])  # weight of an outcome after the next one
LOSSES: Final = np.array([[0.5, 1.5], [1.0, 1.0]])  # of a runtime, of a memory: see `mixture`
_NEVER: Final = 2**62  # without members nothing is refitted
REFUSAL: Final = "neither history nor a request to go by"
_REFUSALS: Final = np.array(["", REFUSAL])


class Ensemble:
    """A mixture of what past outcomes of like tasks say and of the quantiles of its members.

    No member is chosen beforehand: each guess has the share of the distribution that it has earned
    for tasks like this one, so a member that foresees no better than the plain history has none.
    Shares move by one outcome at a time, never by a jump, so there is no penalty for switching.
    The value is the guess of least expected loss (see `mixture`). A row is signed by whoever has
    the largest share of it. It changes with every outcome; `follow` does whole blocks.
    """

    def __init__(
        self,
        members: Sequence[tuple[str, Refitted]],
        names: Sequence[str],
        *,
        is_memory: bool = False,
        levels: Sequence[float] = LEVELS,
    ) -> None:
        """Put members, each under its name, beside what features of these names say."""
        self.levels = np.array(levels, dtype=np.float64)
        self._members = tuple(members)
        self._names, self._is_memory = tuple(names), is_memory
        self._past = past_of(names, is_memory=is_memory)
        widths = [len(self._past), *(len(member.levels) for _, member in members)]
        self._owners = np.repeat(np.arange(len(widths)), widths)
        self._sums = np.zeros((SLOTS, len(self._owners)), dtype=np.float32)
        self._totals = np.zeros(SLOTS)
        self._mean = np.zeros(2)

    def predict(self, x: Features) -> Estimate:
        """The levels for each row; refused where nobody has an answer."""
        rows = np.arange(len(x))
        kinds, nothing = np.zeros(len(x), dtype=np.int64), np.zeros(len(x), dtype=bool)
        return self._happen(x, kinds, rows, np.zeros(len(x)), nothing)[0]

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Outcomes in order of time."""
        begin = 0
        while begin < len(y):
            end = min(begin + self.rows_to_refit(), len(y))
            part = slice(begin, end)
            self.follow(x.take(part), np.full(end - begin, LEARN), np.arange(end - begin),
                        y[part], censored[part])  # fmt: skip
            begin = end

    def follow(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, censored: NDArray[np.bool_]
    ) -> tuple[Estimate, Floats]:
        """Serve and learn rows in the order of the events, up to a refit of a member at most.

        What was served, and the logs (n, q) of the quantiles believed just before learning.
        """
        result = self._happen(x, kinds, rows, y, censored)
        ended = rows[kinds == LEARN]
        for _, member in self._members:
            member.learn(x.take(ended), y[ended], censored[ended])
        return result

    def rows_to_refit(self) -> int:
        """How many outcomes from now one of the members changes."""
        return min((member.rows_to_refit() for _, member in self._members), default=_NEVER)

    def save(self) -> dict[str, bytes]:
        """The counts, and the files of all members."""
        used = np.flatnonzero(self._totals > 0.0)
        stream = io.BytesIO()
        np.savez_compressed(
            stream, used=used, sums=self._sums[used], totals=self._totals[used], mean=self._mean
        )
        words = {
            "names": self._names, "is_memory": self._is_memory, "levels": self.levels.tolist(),
        }  # fmt: skip
        files = {"ensemble.npz": stream.getvalue(), "ensemble.json": json.dumps(words).encode()}
        for _, member in self._members:
            files |= member.save()
        return files

    @classmethod
    def load(cls, files: Mapping[str, bytes], members: Sequence[tuple[str, Refitted]]) -> Ensemble:
        """An Ensemble as it was saved, over its members."""
        own = cls(members, **json.loads(files["ensemble.json"]))
        arrays = np.load(io.BytesIO(files["ensemble.npz"]))
        own._sums[arrays["used"]] = arrays["sums"]
        own._totals[arrays["used"]] = arrays["totals"]
        own._mean = arrays["mean"]
        return own

    def _happen(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, censored: NDArray[np.bool_]
    ) -> tuple[Estimate, Floats]:
        """Events on rows of x while the members stay as they are."""
        n, q = len(x), len(self.levels)
        guesses, slots, lasting = self._past.of(x, len(self._owners))
        answers = [member.predict(x) for _, member in self._members]
        begin = len(self._past)
        for answer in answers:
            begin = enter(answer.quantiles, guesses, begin)
        value, served, learned = np.empty(n), np.empty((n, q)), np.empty((n, q))
        leader = np.empty(n, dtype=np.int64)
        alone = follow(
            kinds, rows, y, censored, guesses, self._owners, self._past.ways, lasting, slots,
            self._sums, self._totals, PRIOR, KEEP, LOSSES[int(self._is_memory)], self._mean,
            self.levels, value, served, learned, leader,
        )  # fmt: skip
        signs: list[Any] = [repeated("history-1", n), *(a.made_by for a in answers), ""]
        if alone >= 0:
            made_by, refused = signs[alone], repeated("", n)
        else:  # -1, not known, is the last sign
            made_by = np.choose(leader, signs, mode="wrap")
            refused = _REFUSALS[np.isnan(value).astype(np.int64)]
        estimate = Estimate(
            value=value,
            levels=self.levels,
            quantiles=served,
            made_by=made_by,
            refused=refused,
        )
        return estimate, learned
