"""Do promised runtime intervals hold, and are they narrower than plain rolling split conformal's?

python benchmarks/runtime_intervals.py TRACE.swf.gz [--rows N] [--seed N]
One causal replay; all methods calibrate the same trees, as they were served. Skips the first
1,000 tasks; the last 30 % of the trace's time is shown alone too (nothing was chosen on it).
"""

import argparse
import resource
import time
from statistics import NormalDist

import numpy as np
import polars as pl

from headway.features import History
from headway.observe import trace
from headway.predict import predictor_for
from headway.predict.conformal import LEVELS
from headway.protocols import Features
from headway.records import Estimate
from headway.verify.baselines import split_conformal
from headway.verify.replay import _order, _outcome
from headway.verify.score import scores


class Kept:
    """A predictor that keeps what it said about each row (a column `row` of the features)."""

    def __init__(self, base, n, levels):
        self._base = base
        self.said = np.full((n, len(levels)), np.nan)
        self.levels = levels

    def predict(self, x):
        """Ask and keep."""
        answer = self._base.predict(x)
        rows = x.column("row").astype(int)
        is_new = np.isnan(self.said[rows, 0])
        self.said[rows[is_new]] = answer.quantiles[is_new]
        return answer

    def learn(self, x, y, censored):
        """Hand on."""
        self._base.learn(x, y, censored)

    def rows_to_refit(self):
        """As the base."""
        return self._base.rows_to_refit()

    def save(self):
        """As the base."""
        return self._base.save()


def as_estimate(quantiles):
    """Served quantiles as an Estimate."""
    n = len(quantiles)
    return Estimate(
        value=quantiles[:, LEVELS.index(0.5)], levels=np.array(LEVELS), quantiles=quantiles,
        made_by=np.full(n, ""), refused=np.full(n, ""),
    )  # fmt: skip


def served_levels(said, levels):
    """The base's own quantiles at the served levels: linear in log over the normal score."""
    nodes = np.array([NormalDist().inv_cdf(level) for level in levels])
    logs, out = np.log1p(said), np.empty((len(said), len(LEVELS)))
    for k, level in enumerate(LEVELS):
        z = NormalDist().inv_cdf(level)
        i = int(np.clip(np.searchsorted(nodes, z) - 1, 0, len(nodes) - 2))
        slope = (logs[:, i + 1] - logs[:, i]) / (nodes[i + 1] - nodes[i])
        out[:, k] = logs[:, i] + slope * (z - nodes[i])
    return np.maximum(np.expm1(out), 0.0)


def main():
    """Replay one trace and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace")
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    tasks = pl.concat([part for part, _ in trace.read(chosen.trace)])
    tasks = tasks.sort("submitted_s", maintain_order=True).head(chosen.rows or tasks.height)
    begin, cpu = time.perf_counter(), time.process_time()
    x = History().replay(tasks)
    described = time.perf_counter() - begin
    y = _outcome(tasks, "runtime_s")
    kinds, rows = _order(x.at_s, tasks, y)
    served = predictor_for("runtime_s", x.names, seed=chosen.seed, orders=True)
    kept = Kept(served._base, tasks.height, served._base._predictors[0].levels)
    numbered = Features(
        (*x.names, "row"), np.column_stack([x.values, np.arange(len(x))]), x.keys, x.at_s, x.version
    )
    del x
    served._base = kept
    answer = served.follow(numbered, kinds, rows, y, np.zeros(len(y), dtype=bool))
    took, cpu = time.perf_counter() - begin, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    base = served_levels(kept.said, kept.levels)
    median = np.repeat(base[:, [LEVELS.index(0.5)]], len(LEVELS), axis=1)
    levels = np.array(LEVELS)
    methods = {"headway": answer, "trees alone": as_estimate(base)}
    for window in (500, 2000, 5000):
        plain = split_conformal(kinds, rows, y, base, levels, window)
        methods[f"split conformal, quantiles, {window}"] = as_estimate(plain)
    around = split_conformal(kinds, rows, y, median, levels, 2000)
    methods["split conformal, median, 2000"] = as_estimate(around)
    most = (numbered.column("limit_s") * 1.05 + 120.0)[:, None]  # all methods know the limit
    methods = {
        name: estimate if name == "headway" else as_estimate(np.fmin(estimate.quantiles, most))
        for name, estimate in methods.items()
    }
    print(f"{chosen.trace}: {tasks.height} tasks, features {described:.1f} s, whole {took:.1f} s,"
          f" CPU {cpu:.1f} s, {memory:.2f} GiB (with the benchmark's copies)")  # fmt: skip
    at = numbered.at_s
    later = np.arange(len(at)) >= 1000
    last = later & (at > at[0] + 0.7 * (at[-1] - at[0]))
    names = ("50", "80", "90", "95", "99")
    for part, mask in (("all", later), ("last 30 %", last)):
        print(f"\n{part} | method | " + " | ".join(f"{n} %" for n in names)
              + " | Winkler log 50/80/90/95 | Winkler h 50/80/90/95 | MAE h | MAE log")  # fmt: skip
        for method, estimate in methods.items():
            s = scores(y, estimate, mask)
            covered = " | ".join(f"{100 * s['interval_coverage'][n]:.1f}" for n in names)
            logs = "/".join(f"{s['winkler_log'][n]:.2f}" for n in names[:4])
            hours = "/".join(f"{s['winkler'][n] / 3600:.1f}" for n in names[:4])
            ok = mask & np.isfinite(y)
            mae_log = np.nanmean(np.abs(np.log1p(y[ok]) - np.log1p(estimate.value[ok])))
            print(f"{part} | {method} | {covered} | {logs} | {hours} |"
                  f" {s['mae_s'] / 3600:.2f} | {mae_log:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
