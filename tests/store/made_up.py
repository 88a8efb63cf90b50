"""Made-up records for the tests of stores."""

import numpy as np
import polars as pl

from headway.tables import complete


def tasks(n: int, first: int = 0) -> pl.DataFrame:
    """n ended tasks in order of time, each a pure function of its number first, first + 1, .."""
    i = np.arange(first, first + n)
    odd = (i * 2654435761) % 2**32
    at = 10.0 * i + odd % 9
    return complete(
        "task",
        pl.DataFrame(
            {
                "cluster": ["hpc"] * n,
                "id": [str(k) for k in i],
                "attempt": [1] * n,
                "user": [f"u{k}" for k in odd % 300],
                "name": [f"app{k}" for k in odd % 997],
                "submitted_s": at,
                "started_s": at + odd % 101,
                "ended_s": at + 1000.25 + odd % 10_007,
                "cpus_requested": odd % 64 + 1,
                "limit_s": 600 * (odd % 61 + 1),
                "memory_peak_bytes": odd * 7,
                "state": ["completed"] * n,
            }
        ),
    )
