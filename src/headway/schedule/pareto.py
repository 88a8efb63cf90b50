"""Which choices no other beats in everything, and how much of a space a set of them covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def is_on_front(points: Floats) -> NDArray[np.bool_]:
    """Whether no other of n points (n, k) is at least as low in all and lower in one, (n,).

    >>> is_on_front(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]])).tolist()
    [True, True, False]
    """
    no_higher = (points[:, None, :] <= points[None, :, :]).all(axis=2)  # (by, of)
    lower = (points[:, None, :] < points[None, :, :]).any(axis=2)
    is_beaten: NDArray[np.bool_] = np.any(no_higher & lower, axis=0)
    return ~is_beaten


def hypervolume(points: Floats, reference: Floats) -> float:
    """Volume that some points (n, k) dominate, up to a reference (k,); lower points cover more.

    What lies beyond the reference counts as lying on it. Source: While, Bradstreet, Barone (2012),
    "A fast way of calculating exact hypervolumes".

    >>> hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([3.0, 3.0]))
    3.0
    """
    inside = np.unique(points[(points < reference).all(axis=1)], axis=0)
    return _covered(inside[is_on_front(inside)], reference)


def _covered(front: Floats, reference: Floats) -> float:
    """The same of points that do not dominate each other, sorted by the first coordinate."""
    if len(front) == 0:
        return 0.0
    if front.shape[1] == 2:  # a staircase: first coordinates rise, second ones fall
        above = np.append(reference[1], front[:-1, 1])
        return float(((reference[0] - front[:, 0]) * (above - front[:, 1])).sum())
    total = 0.0
    for i in range(len(front)):  # slices along the first coordinate, all but it behind
        rest = np.unique(front[: i + 1, 1:], axis=0)
        thick = (front[i + 1, 0] if i + 1 < len(front) else reference[0]) - front[i, 0]
        if thick > 0.0:
            total += thick * _covered(rest[is_on_front(rest)], reference[1:])
    return total
