"""Is the right-sizer cheaper than a percentile and the largest so far on Galaxy's tools?

Real sizes of inputs, known before the start; no runtimes, so every job counts as one hour and ends
before the next one begins.

    python benchmarks/galaxy_sizing.py ../shared/data/prediction/galaxy-eu/*.txt.gz
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import polars as pl

from headway.features import History
from headway.predict import predictor_for
from headway.predict.sizing import RightSizer, bytes_in_vain
from headway.records import Task
from headway.tables import frame
from headway.verify.baselines import MEMORY, Seen

METHODS = ("running max", "p95 of history", "Witt-LR", "Tovar", "VPA-like")
LATE = 200  # jobs of a tool before its coverage counts


def tasks_of(path: Path) -> pl.DataFrame:
    """The jobs of one tool in order of time."""
    columns = ["tool", "input_bytes", "files", "slots", "memory_bytes", "created"]
    table = pl.read_csv(path, has_header=False, new_columns=columns, separator=",")
    table = table.with_columns(pl.col("memory_bytes", "input_bytes").cast(pl.Float64, strict=False))
    table = table.filter(pl.col("memory_bytes") > 0).sort("created", maintain_order=True)
    rows = table.select("input_bytes", "slots", "memory_bytes").rows()
    tasks = [
        Task(
            cluster="galaxy", id=str(i), name=path.name.split("_20000")[0].split("_5000")[0],
            submitted_s=7200.0 * i, started_s=7200.0 * i, ended_s=7200.0 * i + 3600.0,
            cpus_requested=float(slots), input_bytes=None if size is None else int(size),
            memory_peak_bytes=int(peak), state="completed",
        )
        for i, (size, slots, peak) in enumerate(rows)
    ]  # fmt: skip
    return frame("task", tasks)


def main() -> None:
    """Print one line a tool and method."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("paths", type=Path, nargs="+")
    arguments.add_argument("--jobs", type=int, default=20_000)
    chosen = arguments.parse_args()
    print("| tool | jobs | method | enough | GB h wasted a job |")
    print("|---|---|---|---|---|")
    began = time.perf_counter()
    for path in chosen.paths:
        tasks = tasks_of(path).head(chosen.jobs)
        n = tasks.height
        peak = tasks["memory_peak_bytes"].cast(pl.Float64).to_numpy()
        x = History().replay(tasks)
        kinds, rows = np.tile([0, 1], n), np.repeat(np.arange(n), 2)
        runtime_s, nothing = np.full(n, 3600.0), np.full(n, np.nan)
        believed = predictor_for("memory_bytes", x.names).follow(
            x, kinds, rows, peak, np.zeros(n, dtype=bool)
        )
        sizes = RightSizer().follow(x, believed.value[:, None], kinds, rows, peak, runtime_s)
        seen = Seen(
            kinds=kinds, rows=rows, kind=np.zeros(n, dtype=np.int64), y=peak, request=nothing,
            user=np.zeros(n, dtype=np.int64), input_bytes=x.column("input_bytes").copy(),
            retry=nothing, runtime_s=runtime_s, ended_s=x.at_s + 3600.0,
            is_judged=np.ones(n, dtype=bool), x=x,
        )  # fmt: skip
        given = {"headway": (sizes.first, sizes.largest)}
        given |= {name: (MEMORY[name](seen).first, np.zeros(n)) for name in METHODS}
        late = np.arange(n) >= min(LATE, n // 2)
        for name, (first, largest) in given.items():
            judged = late & np.isfinite(first)
            vain = bytes_in_vain(first[judged], largest[judged], nothing[judged], peak[judged])
            enough = np.mean(first[judged] >= peak[judged])
            wasted = vain.mean() / 1e9
            tool = tasks["name"][0]
            print(f"| {tool} | {judged.sum()} | {name} | {enough:.1%} | {wasted:.3f} |", flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
