"""Where moments and values lie on a plot over time, and lines of a bounded number of pieces."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.report.markup import Html, join, tag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST: Final = 600  # stretches that a line is drawn by at the most
LABELS: Final = 4  # moments written below an axis


@dataclass(frozen=True, slots=True)
class TimePlane:
    """Where moments and values lie, in percent."""

    from_s: float
    to_s: float
    low: float
    high: float

    def left(self, at_s: float) -> float:
        """Where a moment lies."""
        return float(100.0 * (at_s - self.from_s) / max(self.to_s - self.from_s, 1e-9))

    def up(self, y: float) -> float:
        """Where a value lies, from below."""
        return float(100.0 * (y - self.low) / (self.high - self.low))

    def point(self, at_s: float, y: float) -> str:
        """A point of a line of an SVG."""
        return f"{self.left(at_s):.2f},{100 - self.up(y):.2f}"

    def line(self, look: str, points: Sequence[tuple[float, float]]) -> Html:
        """A line, broken where a value is NaN."""
        pieces: list[list[str]] = [[]]
        for at_s, y in points:
            if np.isfinite(y):
                pieces[-1].append(self.point(at_s, y))
            elif pieces[-1]:
                pieces.append([])
        return join(
            tag("polyline", class_=f"stroke thin {look}", points=" ".join(piece))
            for piece in pieces if len(piece) > 1
        )  # fmt: skip

    def area(
        self, lows: Sequence[tuple[float, float]], highs: Sequence[tuple[float, float]]
    ) -> Html:
        """Areas between two lines of the same moments, one for each stretch where both are."""
        pieces: list[list[tuple[float, float, float]]] = [[]]
        for (at_s, low), (_, high) in zip(lows, highs, strict=True):
            if np.isfinite(low) and np.isfinite(high):
                pieces[-1].append((at_s, low, high))
            elif pieces[-1]:
                pieces.append([])
        shapes = []
        for piece in pieces:
            there = [self.point(s, high) for s, _, high in piece]
            back = [self.point(s, low) for s, low, _ in reversed(piece)]
            if len(piece) > 1:
                shapes.append(tag("polygon", class_="band wide", points=" ".join(there + back)))
        return join(shapes)


def moments(from_s: float, to_s: float) -> list[tuple[float, str]]:
    """A few moments to write below an axis: days, or with their time where days are few."""
    at = np.linspace(from_s, to_s, LABELS + 1)[:-1].tolist()
    words = [datetime.fromtimestamp(s, UTC).isoformat()[:16].replace("T", " ") for s in at]
    days = [word[:10] for word in words]
    return list(zip(at, days if len(set(days)) == len(at) else words, strict=True))


def thinned(at_s: Floats, y: Floats, pick: Callable[[Floats], float]) -> list[tuple[float, float]]:
    """One point for each of at most MOST stretches, NaN where nothing in it is known."""
    found = []
    for part in np.array_split(np.arange(len(at_s)), min(MOST, len(at_s))):
        is_known = np.isfinite(y[part]).any()
        found.append(
            (float(at_s[part[len(part) // 2]]), float(pick(y[part])) if is_known else np.nan)
        )
    return found


def outline(at_s: Floats, y: Floats) -> list[tuple[float, float]]:
    """The least and the greatest value of each of at most MOST stretches, as they came."""
    if len(at_s) <= 2 * MOST:
        return list(zip(at_s.tolist(), y.tolist(), strict=True))
    found = []
    for part in np.array_split(np.arange(len(at_s)), MOST):
        known = part[np.isfinite(y[part])]
        if not len(known):
            found.append((float(at_s[part[0]]), float("nan")))
            continue
        ends = sorted({int(known[np.argmin(y[known])]), int(known[np.argmax(y[known])])})
        found += [(float(at_s[i]), float(y[i])) for i in ends]
    return found
