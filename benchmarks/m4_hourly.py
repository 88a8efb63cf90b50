"""How good is the combination on M4-hourly, the official split: 414 series, 48 hours ahead?

m4_hourly.py DATA [MEMBER ...] [--back N] [--cache FOLDER]

Series of one length, 700 or 960 hours, are one panel. In each, members are weighed by what they say
at the origins before the test, 48 hours apart, with what was known there, and are then learned anew
on all that comes before the test. Constants of the combination are those found on cluster load.
--back N: everything N horizons earlier, so that the test is held back from the training part (1 is
its last 48 hours): for tuning. --cache: keep what each member said.
"""

import argparse
import csv
import gzip
import time
import warnings
from pathlib import Path

import numpy as np

from headway.forecast import LEVELS, forecaster
from headway.forecast.answer import bounded
from headway.forecast.combination import mixed, widened
from headway.forecast.mixture import Evidence, scale_of
from headway.stats import interval_coverage, mase, smape, weighted_quantile_loss

EARLIER = 5  # origins
HORIZON, HOUR_S = 48, 3600.0
MEMBERS = ("seasonal_naive", "mstl", "boosted", "gru", "transformer")


def panels(folder, back):
    """The past and what came, (n_steps, n) and (48, n), of the series of each length."""
    series = []
    for part in ("train", "test"):
        with gzip.open(Path(folder) / f"timeseries/m4/Hourly-{part}.csv.gz", "rt") as file:
            rows = list(csv.reader(file))[1:]
        series.append([[float(value) for value in row[1:] if value] for row in rows])
    whole = [past + (ahead if back == 0 else []) for past, ahead in zip(*series, strict=True)]
    for n in sorted({len(values) for values in whole}):
        y = np.column_stack([values for values in whole if len(values) == n])
        end = n - max(back - 1, 0) * HORIZON
        yield y[: end - HORIZON], y[end - HORIZON : end]


def said_by(name, past):
    """Quantiles (origins, h, n, q) of a member; at the last origin of one that learned anew."""
    at_s, cuts = HOUR_S * np.arange(len(past)), cuts_of(past)
    said, known, member = [], 0, forecaster(name, (24, 168), horizon=HORIZON)
    for cut in cuts[:-1]:
        member.learn(at_s[known:cut], past[known:cut])
        known = cut
        said.append(member.forecast(HORIZON).quantiles)
    member = forecaster(name, (24, 168), horizon=HORIZON)
    member.learn(at_s, past)
    return np.stack([*said, member.forecast(HORIZON).quantiles])


def cuts_of(past):
    """How much is known at each origin; the last is where the test begins."""
    return [len(past) - HORIZON * k for k in range(EARLIER, -1, -1)]


def kept(name, past, path):
    """What a member said and its CPU seconds, from a file if they are there."""
    if path and path.exists():
        with np.load(path) as found:
            return found["said"], float(found["cpu_s"])
    began = time.process_time()
    said = said_by(name, past)
    cpu_s = time.process_time() - began
    if path:
        np.savez(path, said=said, cpu_s=cpu_s)
    return said, cpu_s


def combined(said, past):
    """The plain median and the combination, (h, n, q) each, of said (m, origins, h, n, q)."""
    evidence, cuts = Evidence(), cuts_of(past)
    for i, cut in enumerate(cuts[:-1]):
        evidence.add(said[:, i], past[cut : cut + HORIZON])
    weights, factors = evidence.judged(len(said), scale_of(past))
    alike = mixed(said[:, -1], np.ones_like(weights))
    return alike, bounded(widened(mixed(said[:, -1], weights), factors), past)


def show(name, answers, split, cpu_s):
    """Print the scores of one model at the test, over the series of all panels."""
    levels, scores = np.array(LEVELS), []
    for quantiles, (past, truth) in zip(answers, split, strict=True):
        value = quantiles[..., LEVELS.index(0.5)]
        loss = weighted_quantile_loss(truth, quantiles, levels)
        scores.append([mase(truth, value, past, 24), smape(truth, value), loss])
    error, percent, loss = np.concatenate(scores, axis=1)
    truth = np.concatenate([came for _, came in split], axis=1)
    quantiles = np.concatenate(answers, axis=1)
    within = [interval_coverage(truth, quantiles, levels, share) for share in (0.8, 0.95)]
    print(
        f"| {name} | {error.mean():.3f} | {percent.mean():.2f} | {loss.mean():.4f} | "
        f"{within[0]:.1%} | {within[1]:.1%} | {cpu_s:.0f} |",
        flush=True,
    )


def main():
    """Judge every member, their median and the combination."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("members", nargs="*", default=list(MEMBERS))
    parser.add_argument("--back", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    split = list(panels(given.data, given.back))
    print("| model | MASE | sMAPE | quantile loss | in 80 % | in 95 % | CPU s |")
    print("|---|---|---|---|---|---|---|")
    together, whole_s = [], 0.0
    for name in given.members:
        found = []
        for past, _ in split:
            path = given.cache and given.cache / f"{name}-{given.back}-{len(past)}.npz"
            found.append(kept(name, past, path))
        used_s = sum(cpu_s for _, cpu_s in found)
        whole_s += used_s
        together.append([said for said, _ in found])
        show(name, [said[-1] for said in together[-1]], split, used_s)
    answers = [
        combined(np.stack(said), past)
        for said, (past, _) in zip(zip(*together, strict=True), split, strict=True)
    ]
    show("plain median", [alike for alike, _ in answers], split, whole_s)
    show("combination", [best for _, best in answers], split, whole_s)


if __name__ == "__main__":
    main()
