"""How many points a second does a detector score and learn, and how many bytes does a series take?

`python benchmarks/detector_speed.py [SERIES]`: SERIES (10,000) of one point a minute on one core,
a daily pattern with noise, after a warm-up of 60 points; CPU seconds of 20 points of all series.
Baseline: one exponentially weighted mean and deviation in NumPy.
"""

import sys
import time

import numpy as np

from headway.anomaly import DETECTORS, detector
from headway.anomaly.joint import ROW_DETECTORS

WARM, STEPS = 60, 20
NAMES = [name for name in DETECTORS if name not in ("peers", "joint", *ROW_DETECTORS)]


def points(series, seed=0):
    """Rows (WARM + STEPS, series), a minute each."""
    rng = np.random.default_rng(seed)
    day = np.sin(2 * np.pi * np.arange(WARM + STEPS)[:, None] / 1440 + rng.random(series))
    return 10.0 + day + 0.2 * rng.standard_normal((WARM + STEPS, series))


def moving(rows):
    """CPU seconds of the baseline."""
    mean, spread = rows[0].copy(), np.ones(rows.shape[1])
    began = time.process_time()
    for y in rows[WARM:]:
        off = y - mean
        np.abs(off) / np.sqrt(spread)
        mean += 0.05 * off
        spread = 0.95 * (spread + 0.05 * off * off)
    return time.process_time() - began


def timed(name, rows):
    """CPU seconds of the last STEPS rows, and bytes kept for a series."""
    one = detector(name)
    for t, y in enumerate(rows):
        if t == WARM:
            began = time.process_time()
        one.score(60.0 * t, y)
        one.learn(60.0 * t, y)
    spent = time.process_time() - began
    return spent, sum(a.nbytes for a in one.arrays().values()) / rows.shape[1]


def main(series=10_000):
    """Print a row a detector."""
    rows = points(int(series))
    print("| detector | points/CPU s | minutes of all series in a minute | bytes a series |")
    print("|---|---|---|---|")
    base = rows[WARM:].size / moving(rows)
    print(f"| moving mean in NumPy | {base:,.0f} | {base * 60 / rows.shape[1]:,.0f} | 16 |")
    for name in ("ensemble", *NAMES):
        spent, kept = timed(name, rows)
        rate = rows[WARM:].size / spent
        print(
            f"| {name} | {rate:,.0f} | {rate * 60 / rows.shape[1]:,.0f} | {kept:,.0f} |", flush=True
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
