"""How good is the combination on M4-hourly, the official split: 414 series, 48 hours ahead?

m4_hourly.py DATA [MEMBER ...]

Members are weighed by what they say at the three origins before the test, 48 hours apart, with what
was known there, and are then learned anew on all that comes before the test. Networks are trained
for 48 steps. Constants of the combination are those found on cluster load.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np

from forecast_networks import m4_hourly, made
from headway.forecast import LEVELS
from headway.forecast.answer import bounded
from headway.forecast.combination import mixed, widened
from headway.forecast.mixture import Evidence, scale_of
from headway.stats import interval_coverage, mase, smape, weighted_quantile_loss

EARLIER = 3  # origins
MEMBERS = ("seasonal_naive", "mstl", "boosted", "lstm", "gru", "transformer")


def said_by(name, at_s, y, cuts, horizon):
    """Quantiles (origins, h, n, q) of a member; at the last origin of one that learned anew."""
    said, known, member = [], 0, made(name, horizon, 0, None)
    for cut in cuts[:-1]:
        member.learn(at_s[known:cut], y[known:cut])
        known = cut
        said.append(member.forecast(horizon).quantiles)
    member = made(name, horizon, 0, None)
    member.learn(at_s[: cuts[-1]], y[: cuts[-1]])
    return np.stack([*said, member.forecast(horizon).quantiles])


def show(name, quantiles, truth, past, cpu_s):
    """Print the scores of one model at the test."""
    levels, value = np.array(LEVELS), quantiles[..., LEVELS.index(0.5)]
    loss = weighted_quantile_loss(truth, quantiles, levels)
    within = [interval_coverage(truth, quantiles, levels, share) for share in (0.8, 0.95)]
    print(
        f"| {name} | {np.nanmean(mase(truth, value, past, 24)):.3f} | "
        f"{np.nanmean(smape(truth, value)):.2f} | {np.nanmean(loss):.4f} | "
        f"{within[0]:.1%} | {within[1]:.1%} | {cpu_s:.0f} |",
        flush=True,
    )


def main():
    """Judge every member, their median and the combination."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("members", nargs="*", default=list(MEMBERS))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    at_s, y, starts, horizon = m4_hourly(given.data)
    start = starts[0][0]
    cuts = [start - horizon * k for k in range(EARLIER, -1, -1)]
    truth, past = y[start : start + horizon], y[:start]
    print("| model | MASE | sMAPE | quantile loss | in 80 % | in 95 % | CPU s |")
    print("|---|---|---|---|---|---|---|")
    said, whole_s = [], 0.0
    for name in given.members:
        began = time.process_time()
        said.append(said_by(name, at_s, y, cuts, horizon))
        used_s = time.process_time() - began
        whole_s += used_s
        show(name, said[-1][-1], truth, past, used_s)
    together, evidence = np.stack(said), Evidence()
    for i, cut in enumerate(cuts[:-1]):
        evidence.add(together[:, i], y[cut : cut + horizon])
    weights, factors = evidence.judged(len(said), scale_of(past))
    alike = mixed(together[:, -1], np.ones_like(weights))
    show("plain median", alike, truth, past, whole_s)
    combined = widened(mixed(together[:, -1], weights), factors)
    show("combination", bounded(combined, past), truth, past, whole_s)


if __name__ == "__main__":
    main()
