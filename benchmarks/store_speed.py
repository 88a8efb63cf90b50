"""How fast are tasks appended and read back, and what do they cost in memory?

Baseline: the same rows as one plain Parquet file, which knows no duplicates and no two writers.
`store_speed.py [ROWS ..]`; each size runs in a process of its own for its peak memory; rows are
made batch by batch, as a reader of files would hand them over.
"""

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from headway.protocols import Appended
from headway.store import DeltaStore
from headway.tables import complete

BATCH, RUNS = 100_000, 5


def batches(rows: int):
    """Tasks in order of time with as many distinct values as a real trace has."""
    for first in range(0, rows, BATCH):
        n = min(BATCH, rows - first)
        rng = np.random.default_rng(first)
        at = 20.0 * first + np.sort(rng.uniform(0, 20.0 * n, n))
        yield complete(
            "task",
            pl.DataFrame(
                {
                    "cluster": ["hpc"] * n,
                    "id": [str(first + i) for i in range(n)],
                    "attempt": [1] * n,
                    "user": [f"u{i}" for i in rng.integers(0, 300, n)],
                    "name": [f"app{i}" for i in rng.integers(0, 5000, n)],
                    "queue": [f"q{i}" for i in rng.integers(0, 5, n)],
                    "submitted_s": at,
                    "started_s": at + rng.exponential(1000, n),
                    "ended_s": at + 1000 + rng.exponential(10_000, n),
                    "cpus_requested": rng.integers(1, 64, n),
                    "limit_s": 600 * rng.integers(1, 64, n),
                    "memory_requested_bytes": rng.integers(1, 64, n) << 30,
                    "memory_peak_bytes": rng.integers(1, 2**35, n),
                    "state": ["completed"] * n,
                }
            ),
        )


class Source:
    """The batches, and the seconds that making them took: those are not the store's."""

    def __init__(self, rows: int):
        self.rows, self.made_s = rows, 0.0

    def __iter__(self):
        source = batches(self.rows)
        while True:
            since_s = time.perf_counter()
            batch = next(source, None)
            self.made_s += time.perf_counter() - since_s
            if batch is None:
                return
            yield batch


def appended_s(store: DeltaStore, rows: int, expected: Appended) -> float:
    """Seconds of one append, without those of its source."""
    source, since_s = Source(rows), time.perf_counter()
    assert store.append("task", source) == expected
    return time.perf_counter() - since_s - source.made_s


def timed(work, *arguments) -> tuple[float, Any]:
    """(seconds, result) of a call."""
    since_s = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - since_s, result


def peak_gb() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def one_run(rows: int, folder: str) -> dict[str, float]:
    """What one log of so many tasks takes, from its first row to the last read."""
    took, store = {}, DeltaStore(f"{folder}/log")
    took["append, s"] = appended_s(store, rows, Appended(rows, 0))
    again = DeltaStore(f"{folder}/log")
    took["append all again, s"] = appended_s(again, rows, Appended(0, rows))
    del again
    took["peak memory after appends, GB"] = peak_gb()
    since_s, until_s = 6.0 * rows, 8.0 * rows
    took["read a tenth, s"], _ = timed(store.read, "task", since_s, until_s)
    took["read all, s"], whole = timed(store.read, "task")
    assert whole.height == rows
    took["peak memory after reads, GB"] = peak_gb()
    plain = Path(folder, "plain.parquet")
    took["plain Parquet: write, s"], _ = timed(whole.write_parquet, plain)
    took["plain Parquet: read, s"], _ = timed(pl.read_parquet, plain)
    parts = Path(folder, "log").rglob("*.parquet")
    took["on disk, bytes a task"] = sum(part.stat().st_size for part in parts) / rows
    took["plain Parquet: on disk, bytes a task"] = plain.stat().st_size / rows
    return took


def measure(rows: int, runs: int) -> None:
    """Print a line for each thing measured."""
    all_runs = []
    for _ in range(runs):
        with TemporaryDirectory() as folder:
            all_runs.append(one_run(rows, folder))
    for name in all_runs[0]:
        values = [took[name] for took in all_runs]
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"| {rows:,} | {name} | {statistics.median(values):.2f} | {spread} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]), int(sys.argv[3]))
    else:
        print("| tasks | what | median | range |\n|---|---|---|---|", flush=True)
        for size in map(int, sys.argv[1:] or ["250000", "1000000", "10000000"]):
            runs = RUNS if size <= 1_000_000 else 1
            command = [sys.executable, __file__, "--one", str(size), str(runs)]
            subprocess.run(command, check=True)
