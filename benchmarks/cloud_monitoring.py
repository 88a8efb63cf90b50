"""How well are labelled anomalies of production series found, and at one alert a week?

`python benchmarks/cloud_monitoring.py DATA [KEEP]`: 21 series of Microsoft's cloud monitoring, 17
with a label, one set of settings, every point scored before it is learned. Measures: area under
precision and recall of points, mean over labelled series (points that are not scored count as not
strange); and events (runs of labelled points) that an alert meets, and alerts that meet an event,
at one alert a week of a series: where each series has its own best threshold, and where one
threshold holds for all, of how often a week so strange a point is expected, and the series have
the budget together (both in hindsight). Last, what `weekly_policy` raises, as it would have been.
Settings were chosen on files
0, 2, 4, .. of the sorted names (half A); half B was not used for choosing. KEEP: a folder for the
scores, which are not made twice. Baseline: an exponentially weighted mean and deviation.
"""

from __future__ import annotations

import csv
import gzip
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from headway.anomaly import DETECTORS, rarity, weekly_policy
from headway.anomaly.joint import ROW_DETECTORS
from headway.detecting import one_of
from nab import raised, scored

WEEK_S = 7 * 86_400.0
HALVES = (slice(0, None, 2), slice(1, None, 2), slice(None))
ALONE = [name for name in DETECTORS if name not in ("peers", "joint", *ROW_DETECTORS)]


class Series(NamedTuple):
    """One file: at_s (n,) and y (n,), the oldest first; NaN = missing."""

    at_s: np.ndarray
    y: np.ndarray


class NamedSeries(NamedTuple):
    """As `raised` takes it."""

    name: str
    at_s: np.ndarray
    y: np.ndarray


def read(path: Path) -> tuple[Series, np.ndarray]:
    """A file's series, the oldest point first, and whether each point (n,) is labelled."""
    with gzip.open(path, "rt") as lines:
        rows = list(csv.reader(lines))[1:]
    at_s = np.array([np.datetime64(row[0][:19], "s") for row in rows]).astype(float)
    y = np.array([float(row[1]) if row[1] else np.nan for row in rows])
    labels = np.array([row[2].strip() in ("1", "1.0") for row in rows])
    order = np.argsort(at_s, kind="stable")
    return Series(at_s[order], y[order]), labels[order]


def moving(y: np.ndarray, weight: float) -> np.ndarray:
    """The baseline: how many deviations each point (n,) is from the moving mean before it."""
    said, mean, spread = np.zeros(len(y)), np.nan, 0.0
    for t, value in enumerate(y.tolist()):
        if np.isnan(value):
            continue
        if np.isnan(mean):
            mean = value
        off = value - mean
        said[t] = abs(off) / max(np.sqrt(spread), 1e-9 + 0.01 * abs(mean))
        mean += weight * off
        spread = (1 - weight) * (spread + weight * off * off)
    return said


def normal(off: np.ndarray) -> np.ndarray:
    """How rare deviations (n,) of a normal distribution are, in decades."""
    from scipy.special import log_ndtr

    return -(log_ndtr(-off) + np.log(2.0)) / np.log(10.0) + 0.0


def area(labels: np.ndarray, said: np.ndarray) -> float:
    """Average precision of what was said (n,) of points, ties together."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, said))


def events(labels: np.ndarray) -> list[tuple[int, int]]:
    """From where to where (exclusive) each run of labelled points goes."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def alerts_at(said: np.ndarray, threshold: float, gap: int) -> list[int]:
    """Where alerts begin: strange points with none strange in the gap points before."""
    strange = np.flatnonzero(said >= threshold)
    return strange[np.diff(strange, prepend=-gap - 1) > gap].tolist()


def weekly(series: Series, labels: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Events, of them met, alerts and of them right, at the lowest threshold within the budget."""
    step_s = float(np.median(np.diff(series.at_s)))
    gap = max(int(3600.0 / step_s), 3)
    budget = max(int((series.at_s[-1] - series.at_s[0]) / WEEK_S + 0.5), 1)
    chosen: list[int] = []
    for threshold in np.unique(said[said > 0])[::-1][:3000]:
        at = alerts_at(said, threshold, gap)
        if len(at) > budget:
            break
        chosen = at
    return counted(labels, chosen, gap)


def counted(labels: np.ndarray, chosen: list[int], gap: int) -> np.ndarray:
    """Events, of them met, alerts and of them right."""
    spans = events(labels)
    right = sum(any(a - gap <= t < b + gap for a, b in spans) for t in chosen)
    met = sum(any(a - gap <= t < b + gap for t in chosen) for a, b in spans)
    return np.array([len(spans), met, len(chosen), right])


def together(files: list[tuple[Series, np.ndarray]], said: list[np.ndarray]) -> np.ndarray:
    """As `weekly`, at one threshold for all series within the budget of all.

    said is in decades; the threshold is of decades less those of the points of a week.
    """
    steps = [float(np.median(np.diff(one.at_s))) for one, _ in files]
    gaps = [max(int(3600.0 / step_s), 3) for step_s in steps]
    points = [np.log10(WEEK_S / step_s) for step_s in steps]
    budget = sum((one.at_s[-1] - one.at_s[0]) / WEEK_S for one, _ in files)
    chosen: list[list[int]] = [[] for _ in files]
    for threshold in np.concatenate([np.geomspace(1e8, 15.0, 400), np.arange(15.0, -3.0, -0.01)]):
        at = [
            alerts_at(s, max(threshold + p, 1e-9), gap)
            for s, p, gap in zip(said, points, gaps, strict=True)
        ]
        if sum(map(len, at)) > budget:
            break
        chosen = at
    pairs = zip(files, chosen, gaps, strict=True)
    return np.sum([counted(labels, at, gap) for (_, labels), at, gap in pairs], axis=0)


def told(files: list[tuple[Series, np.ndarray]], said: list[np.ndarray]) -> None:
    """Print what the weekly policy raises, causal, with one setting."""
    cells = []
    for picked in HALVES:
        series = [NamedSeries("", *one) for one, _ in files[picked]]
        marks = raised(series, [1.0 - 10.0**-s for s in said[picked]], weekly_policy)
        counts = np.zeros(4, dtype=int)
        for (one, labels), mark in zip(files[picked], marks, strict=True):
            gap = max(int(3600.0 / float(np.median(np.diff(one.at_s)))), 3)
            counts += counted(labels, np.flatnonzero(mark).tolist(), gap)
        weeks = sum((one.at_s[-1] - one.at_s[0]) / WEEK_S for one, _ in files[picked])
        found, right = counts[1] / counts[0], counts[3] / max(counts[2], 1)
        cells.append(f"{found:.0%}, {right:.0%}, {counts[2] / weeks:.2f} a week")
    print(f"| points, weekly_policy: recall, precision, alerts | {' | '.join(cells)} |", flush=True)


def row(name: str, files: list[tuple[Series, np.ndarray]], said: list[np.ndarray]) -> None:
    """Print areas of half A, half B and all, then recall and precision of events."""
    cells = []
    for picked in HALVES:
        pairs = list(zip(files[picked], said[picked], strict=True))
        areas = [area(labels, s) for (_, labels), s in pairs if labels.any()]
        counts = np.sum([weekly(one, labels, s) for (one, labels), s in pairs], axis=0)
        recall, right = counts[1] / counts[0], counts[3] / max(counts[2], 1)
        cells.append(f"{np.mean(areas):.3f}, {recall:.0%}, {right:.0%}")
        counts = together(*map(list, zip(*pairs, strict=True)))
        cells[-1] += f"; {counts[1] / counts[0]:.0%}, {counts[3] / max(counts[2], 1):.0%}"
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main(data: str, keep: str = "") -> None:
    """Print a row a detector."""
    folder = Path(data) / "timeseries" / "ms_cloud_monitoring" / "data"
    files = [read(path) for path in sorted(folder.glob("*/*.csv.gz"))]
    print("| detector | A: area; own threshold: recall, precision; one for all | B | all |")
    print("|---|---|---|---|")
    for weight in (0.02, 0.1, 0.3):
        row(f"moving mean, {weight}", files, [normal(moving(one.y, weight)) for one, _ in files])
    for name in ("ensemble", "points", *ALONE):
        kept = Path(keep) / f"{name}.npz"
        if keep and kept.exists():
            with np.load(kept) as held:
                said = [held[key] for key in held.files]
        else:
            began = time.process_time()
            said = [
                np.nan_to_num(rarity(s))
                for s in scored(one_of(name.split(",")), [f[0] for f in files])
            ]
            print(f"{name}: {time.process_time() - began:.0f} CPU s", file=sys.stderr, flush=True)
            if keep:
                np.savez(kept, *said)
        row(name, files, said)
        if name == "points":
            told(files, said)


if __name__ == "__main__":
    main(*sys.argv[1:])
