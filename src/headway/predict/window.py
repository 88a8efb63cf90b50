"""The latest outcomes that a model is fitted on, and when the next fit is due."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from headway.errors import ConfigError
from headway.predict.answer import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features
    from headway.records import Estimate

    Floats = NDArray[np.float64]

_GROWTH: Final = 1.6  # early on, refit when the outcomes have grown by this factor
_EVERY_SHARE: Final = 0.05  # and at the least after this share of all that were learned
_WHOLE_SHARE: Final = 0.2  # of a history that is learned at once; at its end comes a fit
_WHOLE_GROWTH: Final = 5  # nobody is served on the way there, so fits are so much rarer early on


class Window:
    """Rows of chosen columns with the log of their outcome, at most `size`, the latest.

    Refits happen after fixed counts of outcomes, so that learning them in one call or in many is
    the same: at `first_fit`, then each time they have grown by 60 %, later after `every` or 5 %;
    if is_steady, always after `every`, so that the last `every` rows are new at each; on the way
    through the first `whole` outcomes, later after a fifth of these, and at their end.
    After a fit are set: x (m, d), log_y (m,) = log(1 + outcome), anchored (m,) the log of the
    nearest history, censored (m,), usual = the median of log_y, fits.
    """

    def __init__(
        self,
        columns: Sequence[str],
        anchors: Sequence[str] = (),
        *,
        size: int = 20_000,
        first_fit: int = 50,
        every: int = 6_000,
        is_steady: bool = False,
        whole: int = 0,
    ) -> None:
        """Keep the named columns; anchors: columns with logs of the target, the nearest first.

        whole: as many outcomes are known already and will be learned before the first answer.
        """
        self.columns, self.anchors = tuple(columns), tuple(anchors)
        self.size, self.first_fit, self.every, self.whole = size, first_fit, every, whole
        self.is_steady = is_steady
        self.x = np.zeros((0, len(self.columns)))
        self.log_y, self._anchor = np.zeros(0), np.zeros(0)
        self.censored = np.zeros(0, dtype=bool)
        self.usual, self.fits = 0.0, 0
        self._waiting: list[tuple[Floats, Floats, Floats, NDArray[np.bool_]]] = []
        self._held = 0  # rows that wait
        self._saved = b""  # what is kept, as it was loaded: only a fit looks at it
        self._learned, self._next_fit, self._version = 0, first_fit, ""
        self._names: tuple[str, ...] = ()  # of the features that the places are of
        self._places = self._anchor_places = np.zeros(0, dtype=np.uint32)

    @property
    def anchored(self) -> Floats:
        """The log of the nearest history of each kept outcome (m,), `usual` where there is none."""
        return np.nan_to_num(self._anchor, nan=self.usual)

    def learn(
        self, x: Features, y: Floats, censored: NDArray[np.bool_], fit: Callable[[], None]
    ) -> None:
        """Keep outcomes; call `fit` where the schedule says so."""
        self._check(x)
        self._version = x.version
        done = 0
        while done < len(y):
            end = done + min(self.rows_to_refit(), len(y) - done)
            part = slice(max(done, end - self.size), end)  # the others would not be kept
            rows = x.take(part)
            log = np.log1p(np.maximum(np.asarray(y[part], dtype=np.float64), 0.0))
            known = np.array(censored[part], dtype=bool)
            self._waiting.append((self._chosen(rows), log, self._nearest(rows), known))
            self._held += len(rows)
            self._learned += end - done
            done = end
            if self._held > 2 * self.size:
                self._gather()
            if self._learned == self._next_fit:
                self._gather()
                self.usual = float(np.median(self.log_y))
                fit()
                self.fits += 1
                grown = int((_GROWTH - 1.0) * self._learned)
                usual = next_fit(self._learned, grown, self.every, self.whole)
                self._next_fit = self._learned + self.every if self.is_steady else usual

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next refit comes."""
        return self._next_fit - self._learned

    def rows(self, x: Features) -> tuple[Floats, Floats]:
        """The chosen columns (n, d) and the anchor (n,) of tasks; ConfigError if defined anew."""
        places, anchored = self.places(x)
        return x.values[:, places], anchored

    def places(self, x: Features) -> tuple[NDArray[np.uint32], Floats]:
        """As `rows`, but where the chosen columns (d,) are in x.values instead of a copy."""
        places, anchors = self.found(x)
        return places, first_known(x.values, anchors, self.usual)

    def found(self, x: Features) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Where the chosen columns and the anchors are in x.values; ConfigError if defined anew."""
        self._check(x)
        self._find(x.names)
        return self._places, self._anchor_places

    def refusal(self) -> str:
        """Why nothing can be answered; '' = there was a fit."""
        return "" if self.fits else f"fewer than {self.first_fit} outcomes to learn from"

    def answer(
        self,
        x: Features,
        name: str,
        levels: Floats,
        cap: str,
        logs_of: Callable[[Floats, Floats], Floats],
    ) -> Estimate:
        """What the model of this name says of tasks; refused before its first fit.

        logs_of: from rows (n, d) and their anchors (n,) to logs (n, q) at the levels.
        """
        logs = np.full((len(x), len(levels)), np.nan)
        if self.fits and len(x):
            logs = logs_of(*self.rows(x))
        made_by = f"{name}-{self.fits}"
        return answer(x, logs, levels, made_by=made_by, refused=self.refusal(), cap=cap)

    def save(self) -> bytes:
        """Everything it is."""
        if self._saved and not self._waiting:
            return self._saved
        self._gather()
        words = {
            "columns": self.columns, "anchors": self.anchors, "size": self.size,
            "first_fit": self.first_fit, "every": self.every, "whole": self.whole,
            "is_steady": self.is_steady, "usual": self.usual, "fits": self.fits,
            "learned": self._learned, "next_fit": self._next_fit, "version": self._version,
        }  # fmt: skip
        stream = io.BytesIO()
        np.savez_compressed(
            stream, x=self.x, log_y=self.log_y, anchor=self._anchor, censored=self.censored,
            words=np.array(json.dumps(words)),
        )  # fmt: skip
        return stream.getvalue()

    @classmethod
    def load(cls, content: bytes) -> Window:
        """A Window as it was saved; its outcomes stay packed until more of them come."""
        words = json.loads(str(np.load(io.BytesIO(content))["words"]))
        kept = ("size", "first_fit", "every", "is_steady", "whole")
        settings = {name: words[name] for name in kept}
        window = cls(words["columns"], words["anchors"], **settings)
        window._saved = content
        window.usual, window.fits = words["usual"], words["fits"]
        window._learned, window._next_fit = words["learned"], words["next_fit"]
        window._version = words["version"]
        return window

    def _gather(self) -> None:
        """Join what came since the last time to what is kept."""
        if self._saved:
            arrays = np.load(io.BytesIO(self._saved))
            self.x, self.log_y = arrays["x"], arrays["log_y"]
            self._anchor, self.censored = arrays["anchor"], arrays["censored"]
            self._saved = b""
        parts = [(self.x, self.log_y, self._anchor, self.censored), *self._waiting]
        self._waiting, self._held = [], 0
        self.x, self.log_y, self._anchor, self.censored = (
            np.concatenate(column)[-self.size :] for column in zip(*parts, strict=True)
        )

    def _check(self, x: Features) -> None:
        """Say no to features of another definition."""
        if self._version and x.version != self._version:
            message = f"features version must be {self._version!r}, got {x.version!r}: learn anew"
            raise ConfigError(message)

    def _chosen(self, x: Features) -> Floats:
        """The chosen columns, (n, d)."""
        self._find(x.names)
        return x.values[:, self._places]

    def _nearest(self, x: Features) -> Floats:
        """The log of the target in the nearest history, (n,); NaN = there is none."""
        self._find(x.names)
        return first_known(x.values, self._anchor_places, np.nan)

    def _find(self, names: tuple[str, ...]) -> None:
        """Look up where the columns are, once for features of the same names."""
        if self._names is not names:
            self._places, self._anchor_places = (
                np.array([names.index(name) for name in kept], dtype=np.uint32)
                for kept in (self.columns, self.anchors)
            )
            self._names = names


def next_fit(learned: int, grown: int, every: int, whole: int) -> int:
    """At how many outcomes the fit after the one at `learned` comes, early after `grown` more.

    >>> [next_fit(n, n // 2, 6000, 0) for n in (100, 50_000, 200_000)]
    [150, 56000, 210000]
    >>> [next_fit(n, n // 2, 6000, 1_000_000) for n in (100, 500_000, 900_000, 1_000_000)]
    [350, 700000, 1000000, 1050000]
    """
    is_on_the_way = learned < whole
    step = max(every, int(_WHOLE_SHARE * whole if is_on_the_way else _EVERY_SHARE * learned))
    after = learned + min(step, grown * _WHOLE_GROWTH if is_on_the_way else grown)
    return min(after, whole) if is_on_the_way else after


@njit(cache=True)
def first_known(values: Floats, places: NDArray[np.uint32], otherwise: float) -> Floats:
    """The first number in some columns of each row of values (n, d), (n,)."""
    found = np.full(len(values), otherwise)
    for i in range(len(values)):
        for place in places:
            if not np.isnan(values[i, place]):
                found[i] = values[i, place]
                break
    return found
