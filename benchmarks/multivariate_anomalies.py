"""How well are anomalies of a server found in its 19 metrics together?

python benchmarks/multivariate_anomalies.py DATA KEEP [SERVER ...]

ASD: 12 servers, 30 days to learn from and 15 that are labelled, five minutes a row. A row is scored
from rows up to it alone, then learned. Settings are chosen on servers 1, 3, 5, 7, 9 and 11; the
others are looked at once. KEEP: a folder for the scores of each server, which are not made twice.
Measures: VUS-PR (vus.py) with borders of 0 to 100 rows, and average precision of rows.
"""

import gzip
import sys
import time
from pathlib import Path

import numpy as np

from headway.anomaly import detector, row_score
from headway.anomaly.joint import ROW_DETECTORS
from vus import area_pr, vus_pr

STEP_S = 300.0
STANDARD = ("isolation forest, fitted once", "PCA, fitted once", "PCA of 20 rows, fitted once")


def table(folder, name):
    """Rows of a file."""
    with gzip.open(folder / f"{name}.csv.gz", "rt") as lines:
        return np.loadtxt(lines, delimiter=",")


def fitted_once(train, test):
    """Scores of rows by plain scikit-learn on the rows to learn from."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=100, random_state=0).fit(train)
    centre, scale = train.mean(axis=0), np.maximum(train.std(axis=0), 0.01)
    rows = (np.concatenate([train, test]) - centre) / scale
    lagged = np.concatenate([np.roll(rows, k, axis=0) for k in range(20)], axis=1)[20:]
    found = {STANDARD[0]: -forest.score_samples(test)}
    for name, x in ((STANDARD[1], rows[20:]), (STANDARD[2], lagged)):
        known = x[: len(train) - 20]
        pca = PCA(n_components=0.99, svd_solver="full").fit(known)
        left = x - pca.inverse_transform(pca.transform(x))
        found[name] = (left[len(train) - 20 :, : train.shape[1]] ** 2).sum(axis=1)
    return found


def streamed(train, test):
    """Scores (n_rows, n) of each detector of rows and of the joint one, CPU seconds of each."""
    detectors = {name: detector(name) for name in (*ROW_DETECTORS, "joint")}
    scores = {name: [] for name in detectors}
    spent = {}
    for name, one in detectors.items():
        began = time.process_time()
        for t, y in enumerate(np.concatenate([train, test])):
            if t >= len(train):
                scores[name].append(one.score(STEP_S * t, y))
            one.learn(STEP_S * t, y)
        spent[name] = time.process_time() - began
    return {k: np.array(v) for k, v in scores.items()}, spent


def server(folder, keep, number):
    """Row scores of one server by method, and its labels."""
    name = f"omi-{number}"
    kept = keep / f"{name}.npz"
    labels = table(folder, f"{name}_test_label").astype(int)
    if not kept.exists():
        train, test = table(folder, f"{name}_train"), table(folder, f"{name}_test")
        began = time.process_time()
        found = fitted_once(train, test)
        plain_s = time.process_time() - began
        scores, spent = streamed(train, test)
        np.savez_compressed(kept, **{f"plain {k}": v for k, v in found.items()}, **scores)
        took = {k: round(v, 1) for k, v in spent.items()}
        print(name, f"plain {plain_s:.0f} s", took, flush=True)
    with np.load(kept) as held:
        rows = {k.removeprefix("plain "): held[k] for k in held.files if k.startswith("plain ")}
        return rows | {k: row_score(held[k]) for k in (*ROW_DETECTORS, "joint")}, labels


def main(data, keep, *numbers):
    """A row a method: means over odd, even and all servers."""
    folder, keep = Path(data) / "timeseries" / "asd", Path(keep)
    keep.mkdir(parents=True, exist_ok=True)
    numbers = [int(x) for x in numbers] or list(range(1, 13))
    found = {}
    for number in numbers:
        rows, labels = server(folder, keep, number)
        for name, scores in rows.items():
            found.setdefault(name, {})[number] = vus_pr(labels, scores), area_pr(labels, scores)
    for name, by_server in found.items():
        parts = []
        for group in ([x for x in numbers if x % 2], [x for x in numbers if not x % 2], numbers):
            if group:
                vus, area = np.mean([by_server[x] for x in group], axis=0)
                parts.append(f"{vus:.3f}, {area:.3f}")
        print(f"| {name} | {' | '.join(parts)} | {[round(v[0], 2) for v in by_server.values()]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
