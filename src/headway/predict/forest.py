"""Several boosted models answered in one pass, with the very numbers of LightGBM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.predict.scoring import (
    LEAVES,
    NO_MISSING,
    Plan,
    code_of_leaf,
    drawn,
    score_few,
    score_many,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_MOST_CUTS: Final = 255  # a rank is one byte; a column with more cuts is several columns
_FEW: Final = 64  # rows from which a whole block is faster
_DEFAULT_LEFT, _MISSING = 2, 2  # bit, and place of the rule, in decision_type
_FIELDS: Final[dict[str, Any]] = {
    "split_feature": np.int64, "threshold": np.float64, "decision_type": np.int64,
    "left_child": np.int64, "right_child": np.int64, "leaf_value": np.float64,
    "leaf_count": np.int64, "num_leaves": np.int64, "num_cat": np.int64, "is_linear": np.int64,
}  # fmt: skip


class Forest:
    """The raw answers of several models to rows with the same columns; safe in several threads."""

    def __init__(self, models: Sequence[str]) -> None:
        """Read LightGBM's text; its splits are numeric, its trees have at most 32 leaves."""
        self._plan = _plan(models)

    def predict(self, x: Floats, columns: NDArray[np.uint32]) -> Floats:
        """The sum of leaves of each model (n, models); feature i of them is x[:, columns[i]]."""
        out = np.empty((len(x), len(self._plan.tree_at) - 1))
        if len(x) < _FEW:
            score_few(x, columns, self._plan, out)
        else:
            score_many(x, columns, self._plan, out)
        return out


def _read(text: str) -> dict[str, NDArray[Any]]:
    """The fields of all trees of a model, joined."""
    words: dict[str, list[str]] = {field: [] for field in _FIELDS}
    for line in text.splitlines():
        field, _, rest = line.partition("=")
        if field in words:
            words[field] += rest.split()
    return {field: np.array(found, dtype=_FIELDS[field]) for field, found in words.items()}


def _plan(models: Sequence[str]) -> Plan:
    """Models as flat arrays."""
    read = [_read(text) for text in models]
    every = {field: np.concatenate([one[field] for one in read]) for field in _FIELDS}
    sizes, feature, decision = every["num_leaves"], every["split_feature"], every["decision_type"]
    if every["num_cat"].any() or every["is_linear"].any():
        raise ConfigError("trees must have numeric splits and constant leaves")
    if sizes.max(initial=0) > LEAVES:
        raise ConfigError(f"num_leaves must be at most {LEAVES}, got {sizes.max()}")
    is_flipped, masks, place = drawn(
        sizes, every["left_child"], every["right_child"], every["leaf_count"]
    )
    columns, cuts, column, rank = _columns(feature, decision >> _MISSING, every["threshold"])
    n = np.diff(columns[:, 2]).astype(np.int64)
    is_right = (decision & _DEFAULT_LEFT == 0) & (decision >> _MISSING != NO_MISSING)
    slots, slot = np.unique(column * 4 + is_right * 2 + is_flipped, return_inverse=True)
    columns[:, 3] = _starts(np.bincount(slots // 4, minlength=len(n)))
    tree = np.repeat(np.arange(len(sizes)), sizes - 1)
    spans, splits = _spans(column, rank, is_flipped, is_right, n)
    counted = np.where(is_flipped, n[column] - 1 - rank, rank)
    parts, part_at = _parts(slot, counted, masks, tree, len(sizes))
    leaves = np.zeros((len(sizes), LEAVES))
    leaves[np.repeat(np.arange(len(sizes)), sizes), code_of_leaf(place)] = every["leaf_value"]
    return Plan(
        columns=columns,
        cuts=cuts,
        spans=spans,
        splits=np.column_stack([tree, masks])[splits].astype(np.uint32),
        slots=np.column_stack([slots & 2, slots & 1]).astype(bool),
        part_at=part_at,
        parts=parts,
        tree_at=_starts([len(one["num_leaves"]) for one in read]),
        leaves=leaves,
    )


def _starts(counts: Sequence[int] | Integers) -> NDArray[np.uint32]:
    """Where each of some lists begins in all of them joined, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)


def _columns(
    feature: Integers, rule: Integers, cut: Floats
) -> tuple[NDArray[np.uint32], Floats, Integers, Integers]:
    """Columns (without slots) and their cuts; each split's column and its cut's rank in it."""
    whole = feature * 4 + rule
    order = np.lexsort((cut, whole))
    is_new = np.ones(len(cut), dtype=bool)
    is_new[1:] = np.diff(whole[order]) != 0
    is_new[1:] |= cut[order][1:] != cut[order][:-1]
    number = np.empty(len(cut), dtype=np.int64)
    number[order] = np.cumsum(is_new) - 1  # of the cut among those of all columns
    cuts, owner = cut[order][is_new], whole[order][is_new]
    rank = np.arange(len(cuts)) - np.searchsorted(owner, owner)
    pairs = np.column_stack([owner, rank // _MOST_CUTS])
    kept, column = np.unique(pairs, axis=0, return_inverse=True)
    columns = np.zeros((len(kept) + 1, 4), dtype=np.uint32)
    columns[:-1, 0], columns[:-1, 1] = kept[:, 0] // 4, kept[:, 0] % 4
    columns[:, 2] = _starts(np.bincount(column, minlength=len(kept)))
    return columns, cuts, column[number], (rank % _MOST_CUTS)[number]


def _spans(
    column: Integers,
    rank: Integers,
    is_flipped: NDArray[np.bool_],
    is_right: NDArray[np.bool_],
    n: Integers,
) -> tuple[NDArray[np.uint32], Integers]:
    """Spans of splits by column and rank of a value, and the numbers of the splits so ordered.

    Of a column come first the flipped splits, which act on values up to their cut, then the others,
    which act above it, each by rank: so those that act on a value are neighbours. Then again those
    that act on a missing value.
    """
    on_missing = np.flatnonzero(is_flipped != is_right)
    splits = np.concatenate([np.arange(len(column)), on_missing])
    group = np.where(is_flipped, 0, 1)[splits]
    group[len(column) :] = 2
    order = np.lexsort((rank[splits], group, column[splits]))
    key = (column[splits] * 3 + group)[order]
    first_span = np.concatenate([[0], np.cumsum(n + 2)])
    spans = np.zeros((int(first_span[-1]), 2), dtype=np.uint32)
    of_span = np.repeat(np.arange(len(n)), n + 2)
    value = np.arange(len(spans)) - first_span[of_span]
    ranks = rank[splits][order]
    width = int(n.max(initial=0)) + 2
    sorted_by = key * width + ranks
    for at, group_of in ((0, 0), (1, 1)):
        spans[:, at] = np.searchsorted(sorted_by, (of_span * 3 + group_of) * width + value)
    is_missing = value == n[of_span] + 1
    spans[is_missing, 0] = np.searchsorted(key, of_span[is_missing] * 3 + 2)
    spans[is_missing, 1] = np.searchsorted(key, of_span[is_missing] * 3 + 3)
    return spans, splits[order]


def _parts(
    slot: Integers, rank: Integers, masks: Integers, tree: Integers, trees: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """The bytes of leaves that each split clears, tree by tree, and where each tree begins."""
    parts = masks[:, None] >> np.array([0, 8, 16, 24]) & 255
    split, byte = np.nonzero(parts != 255)
    table = np.column_stack([slot[split], rank[split], byte, parts[split, byte]])
    return table.astype(np.uint16), _starts(np.bincount(tree[split], minlength=trees))
