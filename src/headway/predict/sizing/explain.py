"""Why a task is given what it is given: a sentence and the numbers in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.predict.sizing.laws import NAMES, PEAK, centre
from headway.predict.sizing.sizes import COLD
from headway.predict.sizing.state import UNSEEN, window_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.predict.sizing.state import State

    Floats = NDArray[np.float64]

_LATEST: Final = 3
_WORDS: Final = {
    "kind": "of its kind", "stem": "of its user with such a name", "name": "of its name",
    "shape": "of its user with this request", "user": "of its user", "any": "without a request",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one task gets its bytes.

    outcomes: how many were known of the key that was asked; latest: bytes of the newest of them,
    newest first; said: bytes that the law says, before the margin; NaN where there is no law.
    """

    sentence: str
    given: float
    law: str
    outcomes: int
    latest: tuple[float, ...]
    largest: float
    said: float


def explain(
    state: State, key: int, level: int, level_name: str, law: int, given: float, row: Floats
) -> Explanation:
    """Put into words what `_serve` decided for the facts of one task (f,), see laws."""
    if law == COLD or key < 0:
        risk = state.aim[UNSEEN]
        kinds = int(state.shares[0].sum())
        sentence = (
            f"{_gb(given)}: no task like it has ended; of its request this has been enough for "
            f"{1.0 - risk:.0%} of {kinds} other kinds and some usual ones"
        )
        return Explanation(sentence, given, "share of request", 0, (), 0.0, np.nan)
    window = window_of(state, key, level, True)
    said = float(np.exp(centre(state.law[key], window, row)))
    latest = tuple(np.exp(window[:_LATEST, PEAK]).tolist())
    largest, n = float(state.largest[key]), int(state.ended[key])
    name = NAMES[min(law, len(NAMES) - 1)]
    sentence = (
        f"{_gb(given)}: by the law '{name}' of {n} tasks {_WORDS[level_name]} it takes "
        f"{_gb(said)}, and {given / said - 1.0:+.0%} is what makes failures as cheap as they can "
        f"be; the latest took {', '.join(_gb(peak) for peak in latest)}, the largest {_gb(largest)}"
    )
    return Explanation(sentence, given, name, n, latest, largest, said)


def _gb(size: float) -> str:
    """Bytes in GB (1e9) with three digits."""
    return f"{size / 1e9:.3g} GB"
