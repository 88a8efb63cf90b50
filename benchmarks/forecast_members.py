"""How good is each forecaster alone: on the load of clusters, on M4-hourly, and how fast?

python benchmarks/forecast_members.py DATA load|m4|speed|door [MEMBER ...]

load: 64 hourly series, 24 hours ahead, origins in the last 30 % of each (load_series.py); m4: 414
series, 48 hours ahead, the official split; speed: 500 made series of 90 days; door: the same
through what `headway forecast` calls, in two processes: `auto` or `all`; with `_once`, the same
members with no past origin to weigh them by.
"""

import csv
import gzip
import os
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from headway.forecast import LEVELS, forecaster
from headway.forecasting import members_of
from headway.protocols import Panel
from headway.stats import interval_coverage, mase, smape, weighted_quantile_loss
from headway.verify.backtest import foretell, play_all
from load_series import HORIZON, load_panel, origins

LEVEL = np.array(LEVELS)
HOUR_S = 3600.0
FAST = ("naive", "seasonal_naive", "theta", "mstl", "boosted")
ALL = (*FAST, "ets", "arima", "prophet")


def cpu_s():
    """CPU seconds of this process and of those that it ran."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def on_load(name, folder):
    """A row of scores over 64 series of clusters."""
    _, at_s, y, held_out = load_panel(folder, os.environ.get("PART", "held_out"))
    seasons = (24,) if name == "seasonal_naive" else (24, 168)
    member, known = forecaster(name, seasons), 0
    scores, quantiles, came = [], [], []
    began = cpu_s()
    for origin, is_scored in origins(len(y), held_out, count=4, apart=48):
        member.learn(at_s[known:origin], y[known:origin])
        known = origin
        estimate, truth = member.forecast(HORIZON), y[origin : origin + HORIZON]
        assert (estimate.refused[is_scored] == "").all(), set(estimate.refused)
        loss = weighted_quantile_loss(truth, estimate.quantiles, LEVEL)
        scaled = mase(truth, estimate.value, y[:origin], 24)
        before = mase(truth, y[origin - HORIZON : origin], y[:origin], 24)
        scores.append(np.stack([scaled, loss, before])[:, is_scored])
        quantiles.append(estimate.quantiles[:, is_scored])
        came.append(truth[:, is_scored])
    scaled, loss, before = np.concatenate(scores, axis=1)
    text = row(name, scaled, loss, np.concatenate(came, 1), np.concatenate(quantiles, 1), began)
    ratio = np.log((scaled + 0.01) / (before + 0.01))
    ratio = ratio[np.isfinite(ratio)]
    draws = np.random.default_rng(0).choice(ratio, (1000, len(ratio))).mean(axis=1)
    low, high = np.exp(np.quantile(draws, [0.025, 0.975]))
    return f"{text} ratio to a season ago {np.exp(ratio.mean()):.3f} ({low:.3f} to {high:.3f})"


def on_m4(name, folder):
    """A row of scores over M4-hourly."""
    past, future = (m4(folder, part) for part in ("train", "test"))
    scaled, error, loss, quantiles, came = [], [], [], [], []
    began = cpu_s()
    for n in sorted({len(p) for p in past}):  # 700 and 960 hours
        these = [i for i, p in enumerate(past) if len(p) == n]
        y, truth = (np.column_stack([part[i] for i in these]) for part in (past, future))
        member = forecaster(name, (24,) if name == "seasonal_naive" else (24, 168))
        member.learn(HOUR_S * np.arange(n), y)
        estimate = member.forecast(48)
        scaled.append(mase(truth, estimate.value, y, 24))
        error.append(smape(truth, estimate.value))
        loss.append(weighted_quantile_loss(truth, estimate.quantiles, LEVEL))
        quantiles.append(estimate.quantiles)
        came.append(truth)
    text = row(name, np.concatenate(scaled), np.concatenate(loss), np.concatenate(came, 1),
               np.concatenate(quantiles, 1), began)  # fmt: skip
    return f"{text} sMAPE {np.concatenate(error).mean():.2f}"


def m4(folder, part):
    """The 414 series of the training or the test part."""
    with gzip.open(Path(folder) / f"timeseries/m4/Hourly-{part}.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1:]
    return [np.array([float(x) for x in row[1:] if x]) for row in rows]


def row(name, scaled, loss, came, quantiles, began):
    """The scores of one member in a line of a table."""
    covered = [interval_coverage(came, quantiles, LEVEL, c) for c in (0.8, 0.95)]
    spread = 1.96 * np.nanstd(scaled) / np.sqrt(np.isfinite(scaled).sum())
    return (
        f"| {name} | {np.nanmean(scaled):.3f} ± {spread:.3f} | {np.nanmedian(scaled):.3f} |"
        f" {np.nanmean(loss):.4f} | {np.nanmedian(loss):.4f} | {covered[0]:.1%} |"
        f" {covered[1]:.1%} | {cpu_s() - began:.1f} | n {np.isfinite(scaled).sum()}"
    )


def made_panel():
    """500 made series of 90 days by the hour."""
    rng = np.random.default_rng(0)
    t = np.arange(24 * 90)[:, None]
    wave = 10 * np.sin(2 * np.pi * (t + rng.integers(0, 24, 500)) / 24)
    week = 5 * (t // 24 % 7 < 5)
    y = 50 + wave + week + np.cumsum(rng.normal(0, 0.2, (len(t), 500)), 0) + rng.normal(0, 3, 500)
    names = tuple(f"series {i}" for i in range(500))
    return Panel(names, HOUR_S * np.arange(len(t)), y, HOUR_S, (24, 168))


def on_speed(name, _):
    """CPU seconds of the first forecast for 500 series of 90 days."""
    panel = made_panel()
    member = forecaster(name, panel.seasons)
    began = cpu_s()
    member.learn(panel.at_s, panel.y)
    estimate = member.forecast(HORIZON)
    assert (estimate.refused == "").all()
    return f"| {name} | {cpu_s() - began:.1f} |"


def on_door(name, _):
    """Seconds and memory of a forecast for 500 series of 90 days, as a user asks for it."""
    panel = made_panel()
    members = members_of([name.removesuffix("_once")])
    began, began_s = cpu_s(), time.perf_counter()
    if name.endswith("_once"):
        cuts = [len(panel.at_s)]
        found = play_all(panel, members, HORIZON, cuts, seed=0, workers=2, progress=told)
        cpu = {one: round(played.cpu_s, 1) for one, played in found.items()}
    else:
        estimate = foretell(panel, members, HORIZON, progress=told)
        assert (estimate.refused == "").all()
        cpu = {}
    own, child = (
        resource.getrusage(who).ru_maxrss / 2**20
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return (
        f"| {name}: {', '.join(members)} | {time.perf_counter() - began_s:.0f} s | CPU"
        f" {cpu_s() - began:.0f} s | {own:.2f} GB and at most {child:.2f} GB a process | load"
        f" {os.getloadavg()[0]:.0f} | {cpu}"
    )


def told(what, share):
    """Say how far it is."""
    print(what, f"{share:.0%}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    folder, what, *names = sys.argv[1:]
    warnings.simplefilter("error")
    play = {"load": on_load, "m4": on_m4, "speed": on_speed, "door": on_door}[what]
    usual = {"speed": FAST, "door": ("auto_once", "auto")}.get(what, ALL)
    for name in names or usual:
        print(play(name, folder), flush=True)
