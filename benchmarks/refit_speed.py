"""How long does it take to learn a million tasks anew: features, and every model that serves?

python benchmarks/refit_speed.py [--tasks 1000000] SWF..

The traces run beside each other as clusters of their own, again and again, each time shifted by
two weeks and with other users, until there are enough tasks.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import polars as pl

from headway.features import NAMES, History
from headway.history import open_traces, tasks_of
from headway.predict import load, predictor_for, save
from headway.verify.failure import failures

CHUNK = 50_000  # rows that are copied into the order of their ends at a time
SHIFT_S = 14 * 86_400.0
OWN = ("user", "group", "project", "name", "queue")
TIMES = ("submitted_s", "started_s", "ended_s")


def million(paths, n):
    """About n tasks of several clusters in order of submission."""
    copies, held, again = [], 0, 0
    tables = [tasks_of(open_traces([path]), lambda *_: None)[0] for path in paths]
    while held < n:
        for table in tables:
            part = table.head(n - held)
            held += part.height
            cluster = f"{part['cluster'][0]}-{again}" if part.height else ""
            shift_s = again * SHIFT_S - table["submitted_s"][0]
            copies.append(
                part.with_columns(
                    pl.lit(cluster).alias("cluster"),
                    *(pl.format("{}/{}", pl.lit(cluster), pl.col(key)).alias(key) for key in OWN),
                    *(pl.col(at) + shift_s for at in TIMES),
                )
            )
        again += 1
    return pl.concat(copies).sort("submitted_s", maintain_order=True)


def outcomes(tasks):
    """What each predictor learns (n,), by target; NaN = not known."""
    runtime = (pl.col("ended_s") - pl.col("started_s")).fill_null(float("nan"))
    peak = pl.col("memory_peak_bytes").cast(pl.Float64).fill_null(float("nan"))
    known = tasks.select(runtime_s=runtime, memory_bytes=peak).with_columns(
        memory_bytes=pl.when(tasks["ended_s"].is_not_null()).then(pl.col("memory_bytes"))
    )
    columns = {name: known[name].fill_null(float("nan")).to_numpy() for name in known.columns}
    return columns | {"failure": failures(tasks)}


def learned(target, x, y, ended):
    """A predictor that has learned all outcomes in the order of their ends, and the seconds."""
    rows = ended[np.isfinite(y[ended])] if target != "failure" else ended
    fits = int(np.isfinite(y[rows]).sum())
    predictor = predictor_for(target, NAMES, whole=fits)
    before, cpu = time.perf_counter(), time.process_time()
    for begin in range(0, len(rows), CHUNK):
        part = rows[begin : begin + CHUNK]
        predictor.learn(x.take(part), y[part], np.zeros(len(part), dtype=bool))
    wall_s, cpu_s = time.perf_counter() - before, time.process_time() - cpu
    print(f"| {target} | {fits:,} | {wall_s:.0f} | {cpu_s:.0f} |", flush=True)
    return predictor


def main():
    """Print the wall and CPU seconds of each step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("paths", nargs="+", type=Path)
    options = parser.parse_args()
    tasks = million(options.paths, options.tasks)
    History().replay(tasks.head(100))  # compiled before the clock starts
    begin, cpu = time.perf_counter(), time.process_time()
    x = History().replay(tasks)
    wall_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    print("| step | outcomes | wall s | CPU s |")
    print(f"| features | {len(x):,} | {wall_s:.0f} | {cpu_s:.0f} |", flush=True)
    ended_s = tasks["ended_s"].fill_null(float("nan")).to_numpy()
    ended = np.argsort(ended_s, kind="stable")[: int(np.isfinite(ended_s).sum())]
    predictors = {t: learned(t, x, y, ended) for t, y in outcomes(tasks).items()}
    wall_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| everything | {len(x):,} | {wall_s:.0f} | {cpu_s:.0f} |")
    last = x.take(slice(len(x) - 1000, len(x)))
    for target, predictor in predictors.items():
        again = load(save(predictor)).predict(last)
        assert np.array_equal(again.value, predictor.predict(last).value, equal_nan=True), target
    print(f"most memory {most:.1f} GiB")


if __name__ == "__main__":
    main()
