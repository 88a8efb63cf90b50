"""How rare a score says its point is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def rarity(scores: Floats) -> Floats:
    """How rare a score says its point is, in decades: 3 = one in a thousand.

    >>> rarity(np.array([0.0, 0.999])).round(6).tolist()
    [0.0, 3.0]
    """
    decades = -np.log10(np.maximum(1.0 - np.asarray(scores, dtype=np.float64), 1e-15))
    return np.asarray(decades + 0.0, dtype=np.float64)
