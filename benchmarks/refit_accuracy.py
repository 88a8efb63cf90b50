"""Does a predictor that learned a history at once, with few fits, answer as well as others?

python benchmarks/refit_accuracy.py [--target failure] TRACE..
Everything that ended in the first 60 % of the tasks is learned; the next 20 % are predicted one by
one in the order of time and learned as they end. Beside it: the same with the usual number of fits
on the way, and a predictor that lived through it all task by task. Nothing was tuned on them.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from failure_risk import losses, tasks_from
from headway.features import NAMES, History
from headway.predict import predictor_for
from headway.predict.conformal import LEARN, SERVE
from headway.verify.replay import replay
from headway.verify.score import COVERAGES, scores
from refit_speed import CHUNK, outcomes

KNOWN, JUDGED = 0.6, 0.2


def taught(target, x, y, ended, *, at_once):
    """A predictor that learned outcomes in the order of their ends, and the CPU seconds."""
    known = int(np.isfinite(y[ended]).sum())
    predictor = predictor_for(target, NAMES, whole=known if at_once else 0)
    began = time.process_time()
    for begin in range(0, len(ended), CHUNK):
        part = ended[begin : begin + CHUNK]
        predictor.learn(x.take(part), y[part], np.zeros(len(part), dtype=bool))
    return predictor, time.process_time() - began


def events(submitted_s, ended_s, served, learned):
    """Kinds and rows of what is asked and what ends, in order of time; ends come first."""
    rows = np.concatenate([learned, served])
    kinds = np.repeat([LEARN, SERVE], [len(learned), len(served)])
    at_s = np.concatenate([ended_s[learned], submitted_s[served]])
    order = np.lexsort((kinds != LEARN, at_s))
    return kinds[order], rows[order]


def judged(target, estimate, y, mask, cpu_s):
    """The cells of one row."""
    p = estimate.value
    known = mask & np.isfinite(y) & np.isfinite(p)
    if target == "failure":
        brier = np.mean((p[known] - y[known]) ** 2)
        return f"{known.sum():,} | {losses(y[known], p[known]).mean():.4f} | {brier:.4f} | {cpu_s}"
    s = scores(y, estimate, mask)
    covered = " / ".join(f"{100 * s['interval_coverage'][n]:.1f}" for n in COVERAGES)
    errors = f"{s['mae_s'] / 3600:.3f} | {1 - s['min_max_accuracy']:.4f}"
    return f"{s['tasks']:,} | {errors} | {covered} | {s['winkler_log']['90']:.2f} | {cpu_s}"


def measure(target, path):
    """Print the rows of one trace."""
    tasks = tasks_from(path)
    tasks = tasks.head(int((KNOWN + JUDGED) * tasks.height))
    x, y = History().replay(tasks), outcomes(tasks)[target]
    submitted_s = tasks["submitted_s"].to_numpy()
    ended_s = tasks["ended_s"].fill_null(np.nan).to_numpy()
    mask = np.arange(len(x)) >= int(len(x) * KNOWN / (KNOWN + JUDGED))
    now_s = submitted_s[mask][0]
    ends = np.argsort(ended_s, kind="stable")[: int(np.isfinite(ended_s).sum())]
    ends = ends if target == "failure" else ends[np.isfinite(y[ends])]
    past, later = ends[ended_s[ends] <= now_s], ends[ended_s[ends] > now_s]
    kinds, rows = events(submitted_s, ended_s, np.flatnonzero(mask), later)
    for at_once in (True, False):
        predictor, cpu_s = taught(target, x, y, past, at_once=at_once)
        estimate = predictor.follow(x, kinds, rows, y, np.zeros(len(x), dtype=bool))
        what = "at once, few fits" if at_once else "at once, usual fits"
        cells = judged(target, estimate, y, mask, f"{cpu_s:.0f} |")
        print(f"| {path.name[:10]} | {what} |", cells, flush=True)
    cells = judged(target, replay(tasks, target).estimate, y, mask, "|")
    print(f"| {path.name[:10]} | task by task |", cells, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="runtime_s")
    parser.add_argument("traces", nargs="+", type=Path)
    arguments = parser.parse_args()
    for trace in arguments.traces:
        measure(arguments.target, trace)
