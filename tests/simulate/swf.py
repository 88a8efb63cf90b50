"""A tiny SWF reader for the tests of the simulator."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl


def tasks_of(path: Path) -> pl.DataFrame:
    with gzip.open(path, "rt", errors="replace") as file:
        rows = np.array(
            [
                [float(x) for x in line.split()[:9]]
                for line in file
                if line.strip() and line[0] != ";"
            ]
        )
    submit, wait, run = rows[:, 1], np.maximum(rows[:, 2], 0.0), rows[:, 3]
    started = submit + wait

    def known(column, allowed):
        return pl.Series(column).set(pl.Series(~allowed), None)

    return pl.DataFrame(
        {
            "submitted_s": submit,
            "started_s": started,
            "ended_s": known(started + run, run >= 0),
            "cpus_allocated": known(rows[:, 4], rows[:, 4] > 0),
            "cpus_requested": known(rows[:, 7], rows[:, 7] > 0),
            "limit_s": known(rows[:, 8], rows[:, 8] > 0),
        }
    )
