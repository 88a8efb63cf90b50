"""Made-up records for the tests of stores."""

import numpy as np
import polars as pl

from headway.tables import complete


def tasks(n: int, seed: int = 0, first: int = 0) -> pl.DataFrame:
    """n ended tasks with ids first.. in order of time, the same for the same arguments."""
    rng = np.random.default_rng(seed)
    at = first * 10.0 + np.sort(rng.uniform(0, 10.0 * n, n))
    return complete(
        "task",
        pl.DataFrame(
            {
                "cluster": ["hpc"] * n,
                "id": [str(first + i) for i in range(n)],
                "attempt": [1] * n,
                "user": [f"u{i}" for i in rng.integers(0, 300, n)],
                "name": [f"app{i}" for i in rng.integers(0, 999, n)],
                "submitted_s": at,
                "started_s": at + rng.exponential(100, n),
                "ended_s": at + 1000 + rng.exponential(10_000, n),
                "cpus_requested": rng.integers(1, 64, n),
                "limit_s": 600 * rng.integers(1, 64, n),
                "memory_peak_bytes": rng.integers(1, 2**35, n),
                "state": ["completed"] * n,
            }
        ),
    )
