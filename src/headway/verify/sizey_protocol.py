"""Sizey's published protocol: a random part of each kind of task is history, the rest comes online.

For comparison with published figures only: what a task read, which is its input size here, is
known after its run alone, and each result is known before the next task begins.
Source: Bader et al. (2024), Sizey, section on the evaluation, and its published code for what the
text leaves open: which kinds count, which rows are drawn, in which order they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_RUNS: Final = 34
ONLINE_SHARE: Final = 0.7


def one_by_one(tasks: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
    """The table with times at which each task ends before the next begins; who is judged (n,).

    tasks: in the order of the file, which decides who is drawn. Counted are kinds (a name of a
    workflow) with 34 or more tasks of known memory, none of which was too short to be measured
    (runtime 0). All histories come first, then the other 70 % of one kind after the other, in the
    drawn order. `input_bytes` is what was read, the peak the largest reading of memory (`rss`).
    Tasks of other kinds and without memory are put behind the end: nobody learns from them.
    """
    measured = pl.coalesce("memory_sampled_bytes", "memory_peak_bytes")
    runtime = (pl.col("ended_s") - pl.col("started_s")).fill_null(np.nan)
    memory, took_s = (tasks.select(c).to_series().to_numpy() for c in (measured, runtime))
    history, online = _draw(_kinds(tasks), memory > 0, took_s, seed)
    n = tasks.height
    place = np.full(n, n, dtype=np.float64)
    place[[*history, *online]] = np.arange(len(history) + len(online))
    is_judged, is_known = np.zeros(n, dtype=bool), place < n
    is_judged[online] = True
    step_s = 1000.0 + float(np.max(took_s[is_known], initial=0.0))
    first_s = tasks["submitted_s"].min()
    begun = pl.Series((0.0 if first_s is None else float(str(first_s))) + step_s * place)
    ran = pl.Series(np.where(is_known, took_s, np.nan)).fill_nan(None)
    timed = tasks.with_columns(
        submitted_s=begun,
        started_s=begun,
        ended_s=begun + ran,
        input_bytes=pl.col("read_bytes"),
        memory_peak_bytes=measured,
    )
    return timed, is_judged


def _kinds(tasks: pl.DataFrame) -> list[NDArray[np.intp]]:
    """The rows of each kind of task, in the order of their first appearance."""
    groups: dict[tuple[str | None, str | None], list[int]] = {}
    for row, key in enumerate(tasks.select("workflow", "name").iter_rows()):
        groups.setdefault(key, []).append(row)
    return [np.array(rows) for rows in groups.values()]


def _draw(
    kinds: list[NDArray[np.intp]],
    is_known: NDArray[np.bool_],
    took_s: NDArray[np.float64],
    seed: int,
) -> tuple[list[int], list[int]]:
    """Rows that are history and rows that come online, each in the order of the draw.

    The published code draws with scikit-learn's train_test_split: the same permutation is made
    here, its first part comes online.
    """
    history: list[int] = []
    online: list[int] = []
    for rows in kinds:
        known = rows[is_known[rows]]
        if len(known) < LEAST_RUNS or not np.all(took_s[known] > 0):
            continue
        drawn = known[np.random.RandomState(seed).permutation(len(known))]
        n_online = int(np.ceil(ONLINE_SHARE * len(known)))
        online += drawn[:n_online].tolist()
        history += drawn[n_online:].tolist()
    return history, online
