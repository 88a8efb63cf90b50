"""The Numenta Anomaly Benchmark's own protocol: probation, windows, sigmoid, thresholds, scale.

Source: Lavin, Ahmad (2015), "Evaluating real-time anomaly detection algorithms - the Numenta
anomaly benchmark". Run alone it checks itself: `python benchmarks/nab_protocol.py [NAB FOLDER]`
scores published detectors that can be rebuilt from their papers and holds every published table
against the normalisation.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

PROFILES = {  # weights of a hit, a miss and a false alarm
    "standard": (1.0, 1.0, 0.11),
    "reward_low_FP_rate": (1.0, 1.0, 0.22),
    "reward_low_FN_rate": (1.0, 2.0, 0.11),
}
PROBATION = 0.15


@dataclass(frozen=True, slots=True)
class Series:
    """One file: at_s (n,), y (n,), and of each point its window (-1 = none) and its place.

    place (n,): from -1 at a window's left edge to 0 at its right, beyond it in widths of the window
    before; 3 = far from any. is_scored (n,): after probation.
    """

    name: str
    at_s: np.ndarray
    y: np.ndarray
    window: np.ndarray
    place: np.ndarray
    is_scored: np.ndarray


def nab_folder() -> Path:
    """Where the benchmark's files are: an argument or below HEADWAY_DATA."""
    named = [a for a in sys.argv[1:] if not a.startswith("-") and Path(a).is_dir()]
    return Path(named[0]) if named else Path(os.environ["HEADWAY_DATA"]) / "timeseries" / "nab"


def corpus(folder: Path) -> list[Series]:
    """All files in the order of their names, windows numbered through."""
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    found, first = [], 0
    for path in sorted((folder / "data").glob("*/*.csv.gz")):
        name = f"{path.parent.name}/{path.name.removesuffix('.gz')}"
        with gzip.open(path, "rt") as file:
            rows = list(csv.reader(file))[1:]
        at_s = np.array([_moment_s(row[0]) for row in rows])
        y = np.array([float(row[1]) for row in rows])
        limits = [tuple(map(_moment_s, pair)) for pair in windows[name]]
        window, place = _placed(at_s, limits, first)
        first += len(limits)
        probation = int(min(np.floor(PROBATION * len(y)), PROBATION * 5000))
        found.append(Series(name, at_s, y, window, place, np.arange(len(y)) >= probation))
    return found


def _moment_s(text: str) -> float:
    text = text.split(".")[0]
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()


def _placed(at_s, limits, first):
    """The window (n,) and the place (n,) of each point."""
    n = len(at_s)
    window, place = np.full(n, -1), np.full(n, 3.0)
    for i, (begin_s, end_s) in enumerate(limits):
        left, right = (int(np.flatnonzero(at_s == s)[0]) for s in (begin_s, end_s))
        width = right - left + 1
        window[left : right + 1] = first + i
        place[left : right + 1] = -(right - np.arange(left, right + 1) + 1) / width
        place[right + 1 :] = (np.arange(right + 1, n) - right) / (width - 1.0)
    return window, place


def sigmoid(place):
    """From 1 at a window's left edge through 0 at its right to -1 far behind it."""
    return np.where(place >= 3.0, -1.0, 2.0 / (1.0 + np.exp(5.0 * np.minimum(place, 3.0))) - 1.0)


def sweep(series: list[Series], scores: list[np.ndarray], profile: str):
    """Thresholds (m,) falling and the corpus's raw score (m,) at each; the first raises nothing."""
    hit, miss, false = PROFILES[profile]
    kept = [one.is_scored for one in series]
    score = np.concatenate([np.nan_to_num(s)[k] for s, k in zip(scores, kept, strict=True)])
    window = np.concatenate([one.window[k] for one, k in zip(series, kept, strict=True)])
    place = np.concatenate([one.place[k] for one, k in zip(series, kept, strict=True)])
    worth = np.where(window >= 0, hit * sigmoid(place) / sigmoid(np.array(-1.0)), 0.0)
    fine = np.where(window < 0, false * sigmoid(place), 0.0)
    order = np.argsort(-score, kind="stable")
    gained = np.zeros(len(order))
    best: dict[int, float] = dict.fromkeys(np.unique(window[window >= 0]).tolist(), -miss)
    nothing = sum(best.values())
    for i in np.flatnonzero(window[order] >= 0).tolist():
        at = order[i]
        more = worth[at] - best[window[at]]
        if more > 0:
            best[window[at]] += more
            gained[i] = more
    total = nothing + np.cumsum(gained) + np.cumsum(fine[order])
    is_last = np.append(np.diff(score[order]) != 0, True)
    thresholds = np.concatenate([[1.1], score[order][is_last]])
    return thresholds, np.concatenate([[nothing], total[is_last]])


def normalised(series: list[Series], raw: float, profile: str) -> float:
    """A raw score on the scale on which raising nothing is 0 and perfection 100."""
    hit, miss, _ = PROFILES[profile]
    n = len(np.unique(np.concatenate([s.window[(s.window >= 0) & s.is_scored] for s in series])))
    return 100.0 * (raw + miss * n) / ((hit + miss) * n)


def nab_scores(series: list[Series], scores: list[np.ndarray]) -> dict[str, tuple[float, float]]:
    """The score of each profile and the threshold that is best for it over these files."""
    said = {}
    for profile in PROFILES:
        thresholds, raw = sweep(series, scores, profile)
        at = int(np.argmax(raw))
        said[profile] = (normalised(series, raw[at], profile), float(thresholds[at]))
    return said


def windowed_gaussian(one: Series) -> np.ndarray:
    """Published: tail of a normal distribution over 6,400 values that moves on by 100 at a time."""
    from math import erfc, sqrt

    scores = np.zeros(len(one.y))
    first, last, mean, std = 0, 0, 0.0, 1.0  # of the values that are held
    for t, value in enumerate(one.y):
        if last:
            scores[t] = 1.0 - 0.5 * erfc(abs(value - mean) / std / sqrt(2.0))
        if last - first == 6400:
            if t + 1 - last < 100:
                continue
            first += 100
        last = t + 1
        held = one.y[first:last]
        mean, std = float(held.mean()), float(held.std()) or 1e-6
    return np.round(scores, 12)  # as the published files were written


def random_scores(one: Series) -> np.ndarray:
    """Published: a uniform number a point, every file from seed 42."""
    import random

    numbers = random.Random(42)
    return np.array([numbers.uniform(0, 1) for _ in one.y])


def relative_entropy(one: Series) -> np.ndarray:
    """Published: a window of 52 values whose histogram of five bins is unlike any before.

    It knows the least and largest value of the whole file. Source: Wang et al. (2011),
    "Statistical techniques for online anomaly detection in data centers", figure 1.
    """
    scores, step = np.zeros(len(one.y)), (one.y.max() - one.y.min()) / 5
    known: list[list] = []  # [shares, windows that agreed]
    if step == 0:
        return scores
    bins = np.minimum(np.ceil((one.y - one.y.min()) / step).astype(int), 4)
    for t in range(51, len(bins)):
        p = np.bincount(bins[t - 51 : t + 1], minlength=5) / 52.0
        apart = [104.0 * _entropy(p, q) for q, _ in known]
        if apart and min(apart) < 13.2767:  # chi square, 4 degrees of freedom, 1 %
            agreed = known[int(np.argmin(apart))]
            agreed[1] += 1
        else:
            scores[t] = 1.0 if known else 0.0
            known.append([p, 1])
    return scores


def _entropy(p, q):
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sum(np.where(p > 0, p * np.log(p / q), 0.0)))


def knn_cad(one: Series) -> np.ndarray:
    """Published: conformal nearest neighbours of windows of 19 values, and a pause after an alarm.

    Source: Burnaev, Ishimtsev (2016), "Conformalized density- and distance-based anomaly detection
    in time-series data".
    """
    dim, k, n = 19, 27, len(one.y)
    probation = min(int(np.floor(PROBATION * n)), int(PROBATION * 5000))
    scores = np.zeros(n)
    lagged = np.lib.stride_tricks.sliding_window_view(one.y, dim)  # row t - dim + 1 ends at t
    training = list(range(dim - 1, probation - 1))
    sigma, calibration, past, pause = np.eye(dim), [], None, -1

    def apart(t, is_own):
        off = lagged[np.array(training) - dim + 1] - lagged[t - dim + 1]
        d = np.einsum("ij,jk,ik->i", off, sigma, off)
        return float(np.partition(d, k + is_own)[: k + is_own].sum())

    for t in range(probation - 1, n):
        if (t + 1) % probation in (0, probation // 2):
            x = lagged[np.array(training) - dim + 1]
            with contextlib.suppress(np.linalg.LinAlgError):
                sigma = np.linalg.inv(x.T @ x)
        if past is None:
            past = [apart(i, 1) for i in training]
        new = apart(t, 0)
        result = float(np.mean(np.array(past) < new))
        if t + 1 >= 2 * probation:
            training = [*training[1:], calibration.pop(0)]
        calibration.append(t)
        past = [*past[1:], new]
        if pause > 0:
            pause -= 1
            scores[t] = 0.5
            continue
        if result >= 0.9965:
            pause = probation // 5
        scores[t] = result
    return scores


REBUILT = {
    "null": lambda one: np.full(len(one.y), 0.5),
    "random": random_scores,
    "windowedGaussian": windowed_gaussian,
    "relativeEntropy": relative_entropy,
    "knncad": knn_cad,
}


def main() -> None:
    """Print published and own score of every profile, beside one another."""
    folder = nab_folder()
    series = corpus(folder)
    published = json.loads((folder / "results" / "final_results.json").read_text())
    thresholds = json.loads((folder / "config" / "thresholds.json").read_text())
    print(f"{len(series)} files, {sum(len(s.y) for s in series):,} points")
    print("From published sums of files: detector, profile, published, ours, files alike in points")
    mine = {s.name: int(((s.window >= 0) & s.is_scored).sum()) for s in series}
    for name, table in published.items():
        for profile, score in table.items():
            path = folder / "results" / name / f"{name}_{profile}_scores.csv.gz"
            with gzip.open(path, "rt") as file:
                rows = [row for row in csv.DictReader(file) if row["File"].endswith(".csv")]
            ours = normalised(series, sum(float(row["Score"]) for row in rows), profile)
            points = {row["File"]: int(row["TP"]) + int(row["FN"]) for row in rows}
            alike = sum(mine.get(file) == n for file, n in points.items())
            print(f"{name:18} {profile:20} {score:7.2f} {ours:7.2f} {alike}")
    print(
        "Rebuilt: detector, profile, published, ours at the published threshold, ours at the best"
    )
    for name, rebuilt in REBUILT.items():
        scores = [rebuilt(one) for one in series]
        for profile in PROFILES:
            at, raw = sweep(series, scores, profile)
            there = raw[np.flatnonzero(at >= thresholds[name][profile]["threshold"])[-1]]
            ours = [normalised(series, x, profile) for x in (there, raw.max())]
            score = published[name][profile]
            print(f"{name:18} {profile:20} {score:7.2f} {ours[0]:7.2f} {ours[1]:7.2f}", flush=True)


if __name__ == "__main__":
    main()
