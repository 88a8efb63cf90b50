"""Leaves of many trees at once, by bits instead of by walking: the compiled part of `forest`.

Every tree has one bit a leaf, all set at first. A split that sends a row to its second child clears
the leaves of the first; the first leaf whose bit is left is where the row ends. So splits can be
looked at in any order: by feature for one row, tree by tree for a block of rows.

Source: Lucchese et al. (2015), QuickScorer, here with the child that more rows go to drawn first
(ours: fewer bits to clear); Ye et al. (2018), RapidScorer, for blocks of rows a byte at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Places = NDArray[np.uint32]

LEAVES: Final = 32
"""Most leaves of a tree: one bit each."""

BLOCK: Final = 128
"""Rows that are scored together."""

NO_MISSING, ZERO_IS_MISSING, NAN_IS_MISSING = 0, 1, 2
"""Rules of a column, as LightGBM numbers them."""

_ALMOST_ZERO: Final = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: nearer is zero
_SPREAD: Final = np.uint32(0x077CB531)  # de Bruijn: the top five bits of 2^i times it are a code
_FIVE: Final = np.uint32(27)
_ALL: Final = np.uint32(0xFFFFFFFF)
_EVERY: Final = 0xFFFFFFFF
_BYTE: Final = np.uint8(255)
_NONE, _ONE = np.uint64(0), np.uint64(1)  # signed indices would be checked for wrapping
_FEATURE, _RULE, _CUT_AT, _SLOT_AT = _NONE, _ONE, np.uint64(2), np.uint64(3)
_IS_RIGHT, _IS_FLIPPED = _NONE, _ONE


class Plan(NamedTuple):
    """All trees of all models as flat arrays, few because each costs time in every call.

    columns (c + 1, 4): feature, rule, where its cuts begin, where its slots begin; cuts in order.
    spans (.., 2): for each column its ranks from 0 to the number of its cuts and then a missing
    value: where the splits begin and end that act. splits (.., 2): tree, leaves that stay.
    slots (s, 2), the ways in which a column is used: whether a missing value is above all cuts,
    whether ranks count from above. parts (p, 4), beginning at part_at (t + 1,): slot, rank, byte of
    the leaves, leaves of the byte that stay. tree_at (m + 1,): where each model's trees begin.
    leaves (t, 32): values by code of the leaf.
    """

    columns: NDArray[np.uint32]
    cuts: Floats
    spans: NDArray[np.uint32]
    splits: NDArray[np.uint32]
    slots: NDArray[np.bool_]
    part_at: NDArray[np.uint32]
    parts: NDArray[np.uint16]
    tree_at: NDArray[np.uint32]
    leaves: Floats


@njit(cache=True)
def score_few(x: Floats, places: Places, plan: Plan, out: Floats) -> None:
    """Each model's sum of leaves, out (n, m), for rows x (n, d); places = the features in a row."""
    bits = np.empty(len(plan.leaves), dtype=np.uint32)
    spans = np.empty(len(plan.columns) - 1, dtype=np.uint64)
    for i in range(np.uint64(len(x))):
        bits[:] = _ALL
        for c in range(np.uint64(len(spans))):  # first all searches, which overlap in the processor
            spans[c] = _span(x[i, places[plan.columns[c, _FEATURE]]], c, plan)
        for c in range(np.uint64(len(spans))):
            for e in range(plan.spans[spans[c], 0], plan.spans[spans[c], 1]):
                bits[plan.splits[e, 0]] &= plan.splits[e, 1]
        for m in range(np.uint64(out.shape[1])):
            total = 0.0
            for t in range(plan.tree_at[m], plan.tree_at[m + _ONE]):
                total += plan.leaves[t, _code_of(bits[t])]
            out[i, m] = total


@njit(cache=True, inline="always")
def _span(value: float, c: int, plan: Plan) -> Any:
    """The span of the splits that act on a value in a column."""
    is_missing = _is_missing(value, plan.columns[c, _RULE])
    value = value if abs(value) > _ALMOST_ZERO else 0.0
    begin = np.uint64(plan.columns[c, _CUT_AT])
    n = plan.columns[c + _ONE, _CUT_AT] - begin
    at, left = begin, n
    while left > _ONE:
        half = left >> _ONE
        at += half if plan.cuts[at + half - _ONE] < value else _NONE
        left -= half
    rank = at - begin + (_ONE if plan.cuts[at] < value else _NONE)
    rank = n + _ONE if is_missing else rank
    return begin + (c << _ONE) + rank  # each column has two more spans than cuts


@njit(cache=True)
def score_many(x: Floats, places: Places, plan: Plan, out: Floats) -> None:
    """Each model's sum of leaves, out (n, m), for rows x (n, d), in blocks."""
    ranks = np.zeros((len(plan.slots), BLOCK), dtype=np.uint8)
    bits = np.zeros((LEAVES // 8, BLOCK), dtype=np.uint8)
    sums = np.zeros(BLOCK)
    for begin in range(0, len(x), BLOCK):
        block = x[begin : begin + BLOCK]
        for c in range(np.uint64(len(plan.columns) - 1)):
            _rank(block[:, places[plan.columns[c, _FEATURE]]], c, plan, ranks)
        for m in range(np.uint64(out.shape[1])):
            sums[:] = 0.0
            for t in range(plan.tree_at[m], plan.tree_at[m + _ONE]):
                _clear(t, plan, ranks, bits)
                for r in range(np.uint64(BLOCK)):
                    word = np.uint32(bits[0, r]) | np.uint32(bits[1, r]) << np.uint32(8)
                    word |= np.uint32(bits[2, r]) << np.uint32(16)
                    word |= np.uint32(bits[3, r]) << np.uint32(24)
                    sums[r] += plan.leaves[t, _code_of(word)]
            out[begin : begin + BLOCK, m] = sums[: len(block)]


@njit(cache=True)
def _rank(values: Floats, c: int, plan: Plan, ranks: NDArray[np.uint8]) -> None:
    """Write the ranks of a column's values (n,) among its cuts into its slots (s, block)."""
    begin = np.uint64(plan.columns[c, _CUT_AT])
    n, rule = plan.columns[c + _ONE, _CUT_AT] - begin, plan.columns[c, _RULE]
    at, value = np.full(BLOCK, begin), np.zeros(BLOCK)
    for r in range(np.uint64(len(values))):
        value[r] = values[r] if abs(values[r]) > _ALMOST_ZERO else 0.0
    left = n
    while left > _ONE:
        half = left >> _ONE
        for r in range(np.uint64(BLOCK)):
            at[r] += half if plan.cuts[at[r] + half - _ONE] < value[r] else _NONE
        left -= half
    rank, is_missing = np.empty(BLOCK, dtype=np.uint8), np.zeros(BLOCK, dtype=np.bool_)
    for r in range(np.uint64(BLOCK)):
        rank[r] = at[r] - begin + (_ONE if plan.cuts[at[r]] < value[r] else _NONE)
    if rule != NO_MISSING:
        for r in range(np.uint64(len(values))):
            is_missing[r] = _is_missing(values[r], rule)
    for s in range(plan.columns[c, _SLOT_AT], plan.columns[c + _ONE, _SLOT_AT]):
        is_flipped = plan.slots[s, _IS_FLIPPED]
        top, sign = np.uint8(n if is_flipped else 0), np.uint8(255 if is_flipped else 1)
        missing = np.uint8(n if plan.slots[s, _IS_RIGHT] else 0)
        for r in range(np.uint64(BLOCK)):  # modulo 256: from above is minus, below plus
            ranks[s, r] = top + sign * (missing if is_missing[r] else rank[r])


@njit(cache=True)
def _clear(
    t: int, plan: Plan, ranks: NDArray[np.uint8], bits: NDArray[np.uint8]
) -> None:  # fmt: skip
    """Leave in bits (4, block) those leaves of a tree that each row of ranks may end in."""
    bits[:] = _BYTE
    for p in range(plan.part_at[t], plan.part_at[t + _ONE]):
        slot, rank = np.uint64(plan.parts[p, 0]), np.uint8(plan.parts[p, 1])
        byte, mask = np.uint64(plan.parts[p, 2]), np.uint8(plan.parts[p, 3])
        for r in range(np.uint64(BLOCK)):
            bits[byte, r] &= mask if ranks[slot, r] > rank else _BYTE


@njit(cache=True, inline="always")
def _is_missing(value: float, rule: int) -> bool:
    """Whether a value goes where the missing ones go."""
    is_zero = not abs(value) > _ALMOST_ZERO  # NaN too
    return ((rule == NAN_IS_MISSING) & (value != value)) | ((rule == ZERO_IS_MISSING) & is_zero)


@njit(cache=True, inline="always")
def _code_of(bits: np.uint32) -> np.uint32:
    """The code of the lowest bit that is set. Source: Leiserson, Prokop, Randall (1998)."""
    return np.uint32((bits & (~bits + np.uint32(1))) * _SPREAD) >> _FIVE


def code_of_leaf(leaf: NDArray[np.int64]) -> NDArray[np.int64]:
    """The code of each leaf's bit, as the compiled functions count it."""
    return (((np.int64(1) << leaf) * int(_SPREAD)) & int(_ALL)) >> int(_FIVE)


@njit(cache=True)
def drawn(
    sizes: Integers, left: Integers, right: Integers, counts: Integers
) -> tuple[NDArray[np.bool_], Integers, Integers]:
    """Trees of some sizes in leaves, drawn so that of two children the fuller comes first.

    left, right (e,) children of each split, below 0 = leaf -1 - number; counts (l,) rows in each
    leaf. Gives is_flipped (e,): the right child comes first; masks (e,): the bits of all leaves
    but those of the first child; place (l,) of each leaf in its tree.
    """
    is_flipped, masks = np.zeros(len(left), dtype=np.bool_), np.zeros(len(left), dtype=np.int64)
    place = np.zeros(len(counts), dtype=np.int64)
    leaves, rows = np.zeros(LEAVES, dtype=np.int64), np.zeros(LEAVES, dtype=np.int64)
    begins = np.zeros(LEAVES, dtype=np.int64)
    split = leaf = 0
    for size in sizes:
        for i in range(size - 2, -1, -1):  # a child has a higher number than its parent
            leaves[i] = rows[i] = 0
            for child in (left[split + i], right[split + i]):
                leaves[i] += 1 if child < 0 else leaves[child]
                rows[i] += counts[leaf - 1 - child] if child < 0 else rows[child]
        begins[0] = 0
        for i in range(size - 1):
            first, second = left[split + i], right[split + i]
            fuller = counts[leaf - 1 - second] if second < 0 else rows[second]
            if fuller > rows[i] - fuller:
                is_flipped[split + i] = True
                first, second = second, first
            n = 1 if first < 0 else leaves[first]
            masks[split + i] = _EVERY & ~(((1 << n) - 1) << begins[i])
            for child, begin in ((first, begins[i]), (second, begins[i] + n)):
                if child < 0:
                    place[leaf - 1 - child] = begin
                else:
                    begins[child] = begin
        split += size - 1
        leaf += size
    return is_flipped, masks, place
