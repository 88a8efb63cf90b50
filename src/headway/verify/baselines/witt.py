"""Peak memory as a line in the input's size, plus one standard deviation of what it missed.

Source: Witt, Wagner, Leser (2019), "Feedback-based resource allocation for batch scheduling of
scientific workflows": linear regression with the offset of one standard deviation ("LR mean
+- sigma"), a failed attempt is tried again with the double. Where no size is known it is the mean.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from headway.verify.baselines.seen import follow

if TYPE_CHECKING:
    from headway.verify.baselines.seen import Given, Seen


def witt(seen: Seen) -> Given:
    """The line of the kind at the size of the input, plus the offset."""
    return follow(seen, _Line)


class _Line:
    """Least squares through running means (Welford 1962); errors are those made when predicting."""

    def __init__(self) -> None:
        self._n = 0
        self._x = self._y = self._xx = self._xy = 0.0  # means, sums of squares and products
        self._largest = 0.0
        self._errors, self._error, self._error2 = 0, 0.0, 0.0

    def give(self, input_bytes: float) -> tuple[float, float]:
        spread = math.sqrt(self._error2 / self._errors) if self._errors else 0.0
        foretold = self._at(input_bytes) + spread
        return (foretold if foretold > 0.0 else self._largest), math.nan

    def learn(self, y: float, input_bytes: float, runtime_s: float, at_s: float) -> None:
        x = 0.0 if math.isnan(input_bytes) else input_bytes
        if self._n >= 2:
            self._missed(y - self._at(input_bytes))
        self._n += 1
        before_x = x - self._x
        self._x += before_x / self._n
        self._xx += before_x * (x - self._x)
        before_y = y - self._y
        self._y += before_y / self._n
        self._xy += before_x * (y - self._y)
        self._largest = max(self._largest, y)

    def _at(self, input_bytes: float) -> float:
        x = 0.0 if math.isnan(input_bytes) else input_bytes
        return self._y + (self._xy / self._xx * (x - self._x) if self._xx > 0.0 else 0.0)

    def _missed(self, error: float) -> None:
        self._errors += 1
        before = error - self._error
        self._error += before / self._errors
        self._error2 += before * (error - self._error)
