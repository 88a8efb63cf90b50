"""How near do the networks come to cluster load a day ahead, and to M4-hourly?

python benchmarks/forecast_networks.py DATA [--part held_out|tuning|m4] [--members lstm,gru]
    [--seeds 0,1] [--steps N]
One forecast from each origin, every point learned once; a member that fits does so by its own
schedule. Figures are means over series: MASE (season 24), sMAPE, quantile loss per unit of load
(and medians over series), coverage, CPU seconds. Settings were chosen on --part tuning alone.
"""

import argparse
import csv
import gzip
import time
from pathlib import Path

import numpy as np

from headway.forecast import LEVELS, Neural, forecaster
from headway.stats import interval_coverage, mase, smape, weighted_quantile_loss
from load_series import HORIZON, HOUR_S, load_panel, origins

LEVEL = np.array(LEVELS)
NETWORKS = ("lstm", "gru", "transformer")


def m4_hourly(folder):
    """All 414 series, at their ends side by side, and where the official test of 48 begins."""
    series = []
    for part in ("train", "test"):
        with gzip.open(Path(folder) / f"timeseries/m4/Hourly-{part}.csv.gz", "rt") as file:
            rows = list(csv.reader(file))[1:]
        series.append([[float(value) for value in row[1:] if value] for row in rows])
    whole = [past + ahead for past, ahead in zip(*series, strict=True)]
    steps = max(map(len, whole))
    y = np.full((steps, len(whole)), np.nan)
    for column, values in enumerate(whole):
        y[steps - len(values) :, column] = values
    return np.arange(steps) * HOUR_S, y, [(steps - 48, np.ones(len(whole), dtype=bool))], 48


def load(folder, part):
    """at_s, y, origins with who is scored there, horizon."""
    if part == "m4":
        return m4_hourly(folder)
    _, at_s, y, held_out = load_panel(folder, part)
    return at_s, y, origins(len(y), held_out), HORIZON


def backtest(member, at_s, y, starts, horizon):
    """What a member said from each origin, (origins, horizon, n_series, q) and its median."""
    said, known = [], 0
    for start, _ in starts:
        member.learn(at_s[known:start], y[known:start])
        known = start
        answer = member.forecast(horizon)
        said.append((answer.value, answer.quantiles))
    return said


def figures(said, y, starts, horizon):
    """Means over series of each score."""
    scores, smapes, shown, quantiles = [], [], [], []
    for (value, levels), (start, is_scored) in zip(said, starts, strict=True):
        truth = np.where(is_scored, y[start : start + horizon], np.nan)
        scores.append(mase(truth, value, y[:start], 24))
        smapes.append(smape(truth, value))
        shown.append(truth)
        quantiles.append(levels)
    truth, levels = np.concatenate(shown), np.concatenate(quantiles)
    loss = weighted_quantile_loss(truth, levels, LEVEL)
    with np.errstate(all="ignore"):
        per_series = np.nanmean(np.array(scores), axis=0)
    return {
        "MASE": np.nanmean(per_series),
        "median MASE": np.nanmedian(per_series),
        "sMAPE": np.nanmean(np.array(smapes)),
        "loss": np.nanmean(loss),
        "median loss": np.nanmedian(loss),
        "80 %": interval_coverage(truth, levels, LEVEL, 0.8),
        "95 %": interval_coverage(truth, levels, LEVEL, 0.95),
    }


def made(name, horizon, seed, steps):
    """A member that is fitted for the horizon."""
    if steps is None or name not in NETWORKS:
        return forecaster(name, (24, 168), seed=seed, horizon=horizon)
    return Neural(name, (24, 168), seed=seed, horizon=horizon, steps=steps)


def main():
    """Print a row a member and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--part", default="held_out", choices=("held_out", "tuning", "m4"))
    parser.add_argument("--members", default=",".join(("seasonal_naive", *NETWORKS)))
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--steps", type=int)
    chosen = parser.parse_args()
    at_s, y, starts, horizon = load(chosen.data, chosen.part)
    print(f"{chosen.part}: {y.shape[1]} series, {len(starts)} origins", flush=True)
    for name in chosen.members.split(","):
        for seed in map(int, chosen.seeds.split(",")):
            begun = time.process_time()
            member = made(name, horizon, seed, chosen.steps)
            said = backtest(member, at_s, y, starts, horizon)
            spent = time.process_time() - begun
            row = " ".join(f"{k} {v:.4f}" for k, v in figures(said, y, starts, horizon).items())
            print(f"{name:15s} seed {seed} {row} CPU {spent:.0f} s", flush=True)


if __name__ == "__main__":
    main()
