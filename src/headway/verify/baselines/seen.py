"""What every method gets and gives, and how a method of its own for each kind of task is fed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SERVE: Final = 0
"""The kind of event at which a method must answer; at any other it is told an outcome."""
_COLD: Final = 2  # the first outcomes of a kind, during which its tasks get their request


@dataclass(frozen=True, slots=True)
class Seen:
    """A replay as a method sees it: events in the order of time, and what is known of n tasks.

    `kinds` and `rows` are the events. y, runtime_s and ended_s (n,) may be looked at when the
    outcome's event comes, not before. NaN = not known.
    """

    kinds: Integers
    rows: Integers
    kind: Integers  # (n,) code of the kind of each task
    user: Integers  # (n,) code of its user
    input_bytes: Floats
    y: Floats  # bytes of the peak, or seconds of the runtime
    request: Floats  # in the unit of y
    retry: Floats  # what a failed attempt gets next in this protocol; NaN = the double
    runtime_s: Floats
    ended_s: Floats
    is_judged: NDArray[np.bool_]  # (n,) whose answers count
    x: Features


@dataclass(frozen=True, slots=True)
class Given:
    """What a method gives each task (n,), and what the next attempt gets if that was too little.

    largest: the largest peak of each task's kind that was known, by which Headway retries.
    NaN in `first`: no answer. NaN in `then`: as the protocol says. `why_not`: the sentence that a
    method prints instead of any answer.
    """

    first: Floats
    then: Floats | None = None
    largest: Floats | None = None
    why_not: str = ""


class OfKind(Protocol):
    """A method at work on one kind of task."""

    def give(self, input_bytes: float) -> tuple[float, float]:
        """Bytes for the next task, and for its second attempt (NaN = as the protocol says)."""
        ...

    def learn(self, y: float, input_bytes: float, runtime_s: float, at_s: float) -> None:
        """One outcome."""
        ...


def follow(seen: Seen, make: Callable[[], OfKind]) -> Given:
    """The answers of one `make()` for each kind of task; before two outcomes the request.

    Only those who are judged are asked about.
    """
    first, then = seen.request.copy(), np.full(len(seen.y), np.nan)
    known: dict[int, OfKind] = {}
    count: dict[int, int] = {}
    of, sizes, y = seen.kind.tolist(), seen.input_bytes.tolist(), seen.y.tolist()
    runtime_s, ended_s = seen.runtime_s.tolist(), seen.ended_s.tolist()
    for event, row in zip(seen.kinds.tolist(), seen.rows.tolist(), strict=True):
        code = of[row]
        if event == SERVE:
            if seen.is_judged[row] and count.get(code, 0) >= _COLD:
                first[row], then[row] = known[code].give(sizes[row])
        else:
            if code not in known:
                known[code] = make()
            known[code].learn(y[row], sizes[row], runtime_s[row], ended_s[row])
            count[code] = count.get(code, 0) + 1
    return Given(first, then)
