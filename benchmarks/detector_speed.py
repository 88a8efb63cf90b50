"""How many points a second does a detector score and learn, and how many bytes does a series take?

`python benchmarks/detector_speed.py [SERIES]`: SERIES (10,000) of one point a minute on one core,
a daily pattern with noise. Before anything is timed, WARM points are learned: a day and more, so
that every detector has been fitted and looks at what it looks at in use; then CPU seconds of STEPS
points of all series, one fit of `sub_pca` among them and none of `isolation`. `joint` and its parts
look at the METRICS of one machine together: one machine, and a fit of `components` among its
ROWS. Baseline: one exponentially weighted mean and deviation in NumPy.
"""

import sys
import time

import numpy as np

from headway.anomaly import DETECTORS, detector
from headway.anomaly.joint import ROW_DETECTORS

WARM, STEPS = 1_600, 100
METRICS, ROWS = 19, 1_024
NAMES = [name for name in DETECTORS if name not in ("peers", "joint", *ROW_DETECTORS)]


def points(series, steps, seed=0):
    """Rows (WARM + steps, series), a minute each."""
    rng = np.random.default_rng(seed)
    day = np.sin(2 * np.pi * np.arange(WARM + steps)[:, None] / 1440 + rng.random(series))
    return 10.0 + day + 0.2 * rng.standard_normal((WARM + steps, series))


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
    """CPU seconds of the rows after WARM, and bytes kept for a series."""
    one = detector(name)
    for t, y in enumerate(rows):
        if t == WARM:
            began = time.process_time()
        one.score(60.0 * t, y)
        one.learn(60.0 * t, y)
    spent = time.process_time() - began
    return spent, sum(a.nbytes for a in one.arrays().values()) / rows.shape[1]


def said(name, rows, spent, kept):
    """Print the row of a detector."""
    rate = rows[WARM:].size / spent
    print(f"| {name} | {rate:,.0f} | {rate / (10_000 / 60):,.0f} | {kept:,.0f} |", flush=True)


def main(series=10_000):
    """Print a row a detector."""
    rows = points(int(series), STEPS)
    print("| detector | points/CPU s | times 10,000 series a minute | bytes a series |")
    print("|---|---|---|---|")
    said("moving mean in NumPy", rows, moving(rows), 16)
    for name in ("ensemble", *NAMES):
        said(name, rows, *timed(name, rows))
    rows = points(METRICS, ROWS)
    for name in (*ROW_DETECTORS, "joint"):
        said(f"{name}, {METRICS} series", rows, *timed(name, rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
