"""How fast and in how much memory is a long history read and checked?

Writes a history of N made-up tasks as SWF or CSV into a temporary folder, reads it through
`observe.trace` to the end (or into Delta tables: `--reader ingested`), and prints rows/s and peak
memory. The baseline reads the same file in the plainest way: `split` and `float` on each line.

    python benchmarks/import_speed.py --rows 10000000 --kind swf
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl


def write(path: Path, kind: str, rows: int, seed: int) -> None:
    """A history of `rows` tasks, in pieces, so that making it needs little memory."""
    rng, done, at = np.random.default_rng(seed), 0, 0
    with path.open("wb") as file:
        if kind == "swf":
            file.write(b"; MaxProcs: 100000\n; UnixStartTime: 1000000000\n")
        while done < rows:
            n = min(500_000, rows - done)
            submit = at + np.cumsum(rng.integers(0, 20, n))
            run, procs = rng.integers(1, 86400, n), 2 ** rng.integers(0, 8, n)
            limit, user = run * 2, rng.integers(1, 500, n)
            wait, memory = rng.integers(0, 3600, n), rng.integers(1000, 4_000_000, n)
            number, one = np.arange(done + 1, done + n + 1), np.full(n, -1)
            table = _swf if kind == "swf" else _csv
            part = table(number, submit, wait, run, procs, limit, user, memory, one)
            part.write_csv(
                file,
                separator=" " if kind == "swf" else ",",
                include_header=kind == "csv" and not done,
            )
            done, at = done + n, int(submit[-1])


def _swf(number, submit, wait, run, procs, limit, user, memory, one) -> pl.DataFrame:
    columns = (number, submit, wait, run, procs, run, memory, procs, limit, memory * 2,
               np.ones_like(one), user, user % 9, user % 50, user % 4, one, one, one)  # fmt: skip
    return pl.DataFrame({str(i): x for i, x in enumerate(columns)})


def _csv(number, submit, wait, run, procs, limit, user, memory, one) -> pl.DataFrame:
    zero = 1_000_000_000
    return pl.DataFrame({
        "job_id": number, "user": [f"user{x}" for x in user], "queue": ["batch"] * len(user),
        "job_name": [f"app{x % 50}" for x in user], "submit": submit + zero,
        "start": submit + wait + zero, "end": submit + wait + run + zero, "cpus": procs,
        "timelimit_s": limit, "req_mem_b": memory * 2048, "max_rss_b": memory * 1024,
        "state": ["COMPLETED"] * len(user), "exit_code": one + 1,
    })  # fmt: skip


def headway(path: Path) -> int:
    """Rows of all batches; nothing is kept."""
    from headway.observe.trace import read

    return sum(tasks.height + bad.height for tasks, bad in read(path))


def ingested(path: Path) -> int:
    """Rows kept as Delta tables in a folder."""
    from headway.observe.ingest import ingest
    from headway.observe.trace import read
    from headway.store.delta import DeltaStore

    with tempfile.TemporaryDirectory(dir=path.parent) as home:
        return ingest(read(path), DeltaStore(home), now_s=0.0).stored


def plain(path: Path) -> int:
    """Each line split and its numbers made floats; nothing checked or kept."""
    rows = 0
    with path.open() as file:
        for line in file:
            if line.startswith(";"):
                continue
            words = line.split() if path.suffix == ".swf" else line.split(",")
            for word in words:
                try:  # noqa: SIM105 - suppress() would slow the baseline down
                    float(word)
                except ValueError:
                    pass
            rows += 1
    return rows


READERS = {"headway": headway, "ingested": ingested, "plain": plain}


def main() -> None:
    """Print one JSON line for the chosen reader; each needs a process of its own for its memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=("swf", "csv"), default="swf")
    parser.add_argument("--reader", choices=tuple(READERS), default="headway")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep the written files here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(given.seeds):
            path = (given.folder or Path(temporary)) / f"{given.rows}-{seed}.{given.kind}"
            if not path.exists():
                write(path, given.kind, given.rows, seed)
            wall, cpu = time.perf_counter(), time.process_time()
            rows = READERS[given.reader](path)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(json.dumps({
                "reader": given.reader, "kind": given.kind, "rows": rows, "seed": seed,
                "mb": round(path.stat().st_size / 1e6), "wall_s": round(wall, 2),
                "cpu_s": round(cpu, 2), "rows_per_s": round(rows / wall),
                "peak_gib": round(peak, 2),
            }))  # fmt: skip


if __name__ == "__main__":
    main()
