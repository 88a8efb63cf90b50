"""A small history with structure: what predictors are taught in tests."""

from __future__ import annotations

import numpy as np
import polars as pl

from headway.features import History
from headway.tables import complete


def history(n=400, seed=0):
    """A table of n tasks of four users, each with a typical runtime and peak memory."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 4, n)
    submitted = np.cumsum(rng.exponential(300.0, n))
    runtime = np.round(np.exp(rng.normal(4.0 + user, 0.3)))
    started = submitted + rng.exponential(100.0, n)
    known = pl.DataFrame(
        {
            "cluster": "made-up", "id": [str(i) for i in range(n)], "attempt": 1,
            "user": [f"user{u}" for u in user], "name": [f"tool{u % 2}" for u in user],
            "submitted_s": submitted, "started_s": started, "ended_s": started + runtime,
            "cpus_requested": 2.0 ** user, "limit_s": 36_000.0,
            "memory_requested_bytes": [8_000_000_000] * n,
            "memory_peak_bytes": (np.exp(rng.normal(18.0 + user, 0.2))).astype(np.int64),
            "state": "completed",
        },
        strict=False,
    )  # fmt: skip
    return complete("task", known)


def taught(n=400, seed=0):
    """Features of the table and its runtimes."""
    table = history(n, seed)
    return History().replay(table), (table["ended_s"] - table["started_s"]).to_numpy().copy()
