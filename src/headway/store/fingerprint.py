"""A 64-bit number for each row that is the same on every machine and in every release.

Libraries do not promise that their hashes outlive a version; these numbers are kept on disk, so
they are made here. A null adds nothing, so a column that a later release adds changes no number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import polars as pl
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _8 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(8)


@njit(cache=True)
def _mixed(z: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64. Source: Steele, Lea, Flood (2014), figure 17."""
    z = z + _GOLDEN
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@njit(cache=True)
def _mixed_all(bits: Hashes, salt: np.uint64) -> Hashes:
    out = np.empty_like(bits)
    for i in range(len(bits)):
        out[i] = _mixed(bits[i] ^ salt)
    return out


@njit(cache=True)
def _of_bytes(offsets: NDArray[np.int64], data: NDArray[np.uint8], salt: np.uint64) -> Hashes:
    """One number per text (n,): eight bytes at a time, the length last."""
    out = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(out)):
        h, word, filled = salt, np.uint64(0), 0
        for j in range(offsets[i], offsets[i + 1]):
            word = (word << _8) | np.uint64(data[j])
            filled += 1
            if filled == 8:
                h, word, filled = _mixed(h ^ word), np.uint64(0), 0
        out[i] = _mixed(_mixed(h ^ word) ^ np.uint64(offsets[i + 1] - offsets[i]))
    return out


@njit(cache=True)
def _of_lists(lengths: NDArray[np.int64], elements: Hashes, salt: np.uint64) -> Hashes:
    """One number per list (n,), in which the order of its elements counts."""
    out = np.empty(len(lengths), np.uint64)
    j = 0
    for i in range(len(out)):
        h = _mixed(salt ^ np.uint64(lengths[i]))
        for _ in range(lengths[i]):
            h = _mixed(h ^ elements[j])
            j += 1
        out[i] = h
    return out


def _of_column(column: pl.Series, salt: np.uint64) -> Hashes:
    """One number per value (n,); 0 for a null."""
    if isinstance(column.dtype, pl.List):
        lengths = column.list.len().fill_null(0).to_numpy()
        elements = column.filter(column.list.len() > 0).explode()
        hashes = _of_lists(lengths.astype(np.int64), _of_column(elements, salt), salt)
    elif column.dtype == pl.String:
        arrow = column.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = arrow.buffers()
        bounds = np.frombuffer(offsets, np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
        letters = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        hashes = _of_bytes(bounds, letters, salt)
    else:
        wide = pl.Float64 if column.dtype == pl.Float64 else pl.Int64
        numbers = column.cast(wide).fill_null(0).to_numpy()
        hashes = _mixed_all(np.ascontiguousarray(numbers).view(np.uint64), salt)
    return np.where(column.is_null().to_numpy(), np.uint64(0), hashes)


def fingerprint(table: pl.DataFrame, columns: Sequence[str]) -> Hashes:
    """One number per row (n,) over the named columns, whatever their order.

    >>> fingerprint(pl.DataFrame({"a": [1, 1], "b": ["x", None]}), ["a", "b"]).tolist()
    [16620515969100864798, 7604798377476842903]
    """
    total = np.zeros(table.height, np.uint64)
    for name in columns:
        total += _of_column(table[name], np.uint64(crc32(name.encode())))
    return total


@njit(cache=True)
def _enter(slots: Hashes, hashes: Hashes) -> NDArray[np.bool_]:
    """Put numbers into a table of 2^k slots (0 = free); True where one was not there before."""
    is_new = np.zeros(len(hashes), np.bool_)
    last = np.uint64(len(slots) - 1)
    for i in range(len(hashes)):
        h = max(hashes[i], np.uint64(1))
        at = _mixed(h) & last
        while slots[at] != np.uint64(0) and slots[at] != h:
            at = (at + np.uint64(1)) & last
        if slots[at] == np.uint64(0):
            slots[at] = h
            is_new[i] = True
    return is_new


class Seen:
    """A set of fingerprints that holds 10 million in 270 MB."""

    def __init__(self) -> None:
        self._slots = np.zeros(1024, np.uint64)
        self._count = 0

    def add(self, hashes: Hashes) -> NDArray[np.bool_]:
        """True (n,) where a number is seen for the first time; from now on all are known."""
        if 2 * (self._count + len(hashes)) > len(self._slots):
            old = self._slots[self._slots != 0]
            size = 1 << (2 * (self._count + len(hashes))).bit_length()
            self._slots = np.zeros(size, np.uint64)
            _enter(self._slots, old)
        is_new = _enter(self._slots, hashes)
        self._count += int(is_new.sum())
        return is_new
