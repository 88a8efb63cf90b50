"""How often is the true root cause of an incident among the first that are named?

python benchmarks/root_causes.py DATA train|test

PetShop (Hardt et al. 2024): 68 incidents injected into a microservice application, 5 rows of 5
minutes each; the data set's own split, train for choosing, test to be looked at once. All methods
see the metric that was alerted (latency or availability, average), the rows of the incident, the
calm time of its regime and the call graph. The regimes with temporal traffic have no calm time of
their own in the data: the two others' are used, and what is strange against both counts.
"""

import csv
import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr

from headway.anomaly.causes import departures, rank_causes, together

REGIMES = ("low_traffic", "high_traffic", "temporal_traffic1", "temporal_traffic2")
ROW_S = 300.0
METHODS = {}


def method(function):
    """Enter a method into the table by its name."""
    METHODS[function.__name__.replace("_", " ")] = function
    return function


def table(path):
    """Columns {(node, metric, statistic): y (n_rows,)} and times (n_rows,)."""
    with gzip.open(path, "rt") as lines:
        rows = list(csv.reader(lines))
    y = np.array([[float(v) if v else np.nan for v in row] for row in rows[4:]])
    keys = zip(*(row[1:] for row in rows[:3]), strict=True)
    return {key: y[:, i + 1] for i, key in enumerate(keys)}, y[:, 0]


def incidents(folder, split):
    """Every incident of a split: what a method may look at, and the true cause."""
    calm = {r: table(folder / r / "noissue" / "metrics.csv.gz")[0] for r in REGIMES[:2]}
    for regime in REGIMES:
        with gzip.open(folder / regime / "graph.csv.gz", "rt") as lines:
            head, *rows = csv.reader(lines)
        graph = {r[0]: [n for n, v in zip(head[1:], r[1:], strict=True) if float(v)] for r in rows}
        for issue in sorted((folder / regime / split).iterdir()):
            came, at_s = table(issue / "metrics.csv.gz")
            said = json.loads((issue / "target.json").read_text())
            nodes = sorted({k[0] for k in came})
            target = said["target"]
            normal = [calm[regime]] if regime in calm else list(calm.values())
            yield Incident(regime, graph, nodes, came, at_s, normal, target), said["root_cause"]


class Incident:
    """What a method may look at."""

    def __init__(self, regime, graph, nodes, came, at_s, normal, target):
        """Columns of the alerted metric for all nodes, in their order."""
        self.regime, self.graph, self.nodes, self.about = regime, graph, nodes, target["node"]
        metric = (target["metric"], target["agg"])
        nan = np.full(len(at_s), np.nan)
        self.y = np.stack([came.get((n, *metric), nan) for n in nodes], axis=1)
        calls = np.stack([came.get((n, "requests", "Sum"), nan) for n in nodes], axis=1)
        self.calls = np.nan_to_num(calls)
        self.usual = []
        for columns in normal:
            gone = np.full(len(next(iter(columns.values()))), np.nan)
            self.usual.append(np.stack([columns.get((n, *metric), gone) for n in nodes], axis=1))
        self.metric = target["metric"]
        self.worse = 1.0 if self.metric == "latency" else -1.0
        self.is_before = at_s + ROW_S <= target["timestamp"]
        self.at = nodes.index(self.about)

    def strange(self, most=99):
        """How strange each node is (n,), NaN = not observed, and its share of the trouble (n,).

        most: rows that are looked at from the one in which the incident began.
        """
        before, rows = self.y[self.is_before], self.y[~self.is_before][:most]
        far = [self.worse * departures(rows, before, usual) for usual in self.usual]
        far = np.fmin.reduce(far)
        known = np.isfinite(far).any(axis=0)
        strange = np.log1p(together(np.clip(np.nan_to_num(far), 0.0, None), self.at))
        was = before[0] if len(before) else np.nan
        more = np.clip(np.nan_to_num(self.worse * (rows - was)), 0.0, None)
        trouble = np.sum(more * self.calls[~self.is_before][:most], axis=0)
        return np.where(known, strange, np.nan), trouble / max(trouble[self.at], 1e-9)

    def mad_scores(self):
        """Deviations in MAD of calm time (n_rows, n), as the published baselines measure them."""
        middle = np.nanmedian(self.usual[0], axis=0)
        mad = 1.4826 * np.nanmedian(np.abs(self.usual[0] - middle), axis=0)
        off = np.abs(self.y - middle)
        still = np.nanstd(self.usual[0], axis=0) == 0
        return np.nan_to_num(np.where(still, 1e9 * off, off / np.maximum(mad, 1e-9)))

    def looked_at(self):
        """The row that the published baselines look at: the third or the next strange one."""
        scores = self.mad_scores()[:, self.at]
        return next((i for i in range(2, len(scores)) if scores[i] > 5.0), 2)


@method
def headway(incident):
    """Stranger than what it depends on, times its share of the trouble."""
    strange, share = incident.strange()
    found = rank_causes(
        incident.nodes, strange, incident.about, incident.graph, share=np.minimum(share, 1.0)
    )
    return [cause.name for cause in found]


@method
def headway_two_rows(incident):
    """The same from the row in which the alert came and the next alone."""
    strange, share = incident.strange(most=2)
    found = rank_causes(
        incident.nodes, strange, incident.about, incident.graph, share=np.minimum(share, 1.0)
    )
    return [cause.name for cause in found]


@method
def headway_without_shares(incident):
    """Stranger than what it depends on."""
    strange, _ = incident.strange()
    found = rank_causes(incident.nodes, strange, incident.about, incident.graph)
    return [cause.name for cause in found]


@method
def headway_without_graph(incident):
    """The strangest, times its share of the trouble."""
    strange, share = incident.strange()
    found = rank_causes(incident.nodes, strange, incident.about, share=np.minimum(share, 1.0))
    return [cause.name for cause in found]


@method
def strangest_first(incident):
    """The strangest against calm time (score ordering)."""
    scores = incident.mad_scores()[incident.looked_at()]
    return [incident.nodes[i] for i in np.argsort(-scores, kind="stable")]


@method
def traversal(incident):
    """Strange (5 MAD), calls nothing that is, and reached from the alert by strange nodes."""
    scores = incident.mad_scores()[incident.looked_at()]
    strange = {n: s for n, s in zip(incident.nodes, scores, strict=True) if s > 5.0}
    best, ahead = {}, [(incident.about, (incident.about,))]
    while ahead:
        node, path = ahead.pop()
        if node not in strange:
            continue
        below = [x for x in incident.graph.get(node, []) if x in strange]
        if not below:
            best[node] = max(best.get(node, 0.0), sum(strange[x] for x in path))
        ahead += [(x, (*path, x)) for x in below if x not in path]
    return sorted(best, key=lambda x: -best[x])


@method
def correlation(incident):
    """Strange nodes (5 MAD) by the p-value of their correlation with the alerted one."""
    scores = incident.mad_scores()[incident.looked_at()]
    found = {}
    for i, node in enumerate(incident.nodes):
        both = np.isfinite(incident.y[:, i]) & np.isfinite(incident.y[:, incident.at])
        x, y = incident.y[both, i], incident.y[both, incident.at]
        if node != incident.about and scores[i] > 5.0 and len(x) >= 3 and x.std() * y.std() > 0:
            found[node] = pearsonr(x, y)[1]
    return sorted(found, key=lambda n: found[n])


@method
def random(incident, rng):
    """Any node that the alerted one calls, directly or not."""
    needed = [incident.about]
    for node in needed:
        needed += [x for x in incident.graph.get(node, []) if x not in needed]
    return list(rng.permutation(needed))


def place(function, incident, truth):
    """Where the true cause stands, from 0 (99 = not named); a hundred draws of a random one."""
    if function is random:
        rng = np.random.default_rng(0)
        return [random(incident, rng).index(truth) for _ in range(100)]
    named = function(incident)
    return [named.index(truth) if truth in named else 99] * 100


def main(folder, split):
    """A row a method: recall of the true cause among the first and the first three."""
    cases = list(incidents(Path(folder) / "timeseries" / "petshop", split))
    groups = sorted({(i.regime.rstrip("12"), i.metric) for i, _ in cases})
    print(f"{split}: {len(cases)} incidents; recall among 1, 3, 5; of 3 by regime and metric")
    for name, function in METHODS.items():
        began = time.process_time()
        places = np.array([place(function, i, truth["node"]) for i, truth in cases])
        parts = []
        for group in groups:
            of = np.array([(i.regime.rstrip("12"), i.metric) == group for i, _ in cases])
            parts.append(f"{' '.join(group)} {np.mean(places[of] < 3):.2f} of {of.sum()}")
        spent_s = time.process_time() - began
        print(
            f"| {name} | {np.mean(places < 1):.1%} | {np.mean(places < 3):.1%} | "
            f"{np.mean(places < 5):.1%} | {'; '.join(parts)} | {1e3 * spent_s / len(cases):.1f} ms"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
