"""Are our forecasters at least as good as other libraries' same models, on the same series?

python benchmarks/forecast_crosscheck.py DATA PYTHON [--series 40] [--steps N] [--theirs N]
    [--members lstm,gru,transformer,boosted,arima,arima_24,prophet]
PYTHON: an interpreter that has neuralforecast 3 (LSTM, GRU, PatchTST), mlforecast with LightGBM,
statsforecast (AutoARIMA) and prophet. 40 cluster-load series of two months; networks and trees are
fitted once, before the first held-out origin, the others at each; ours and theirs forecast from the
same origins, with the same levels. Each step of a network, ours or theirs, trains on as many
windows. Slow models have fewer series or origins (SLOW). CPU seconds are of fit and answers.
arima_24 is AutoARIMA with a season of 24 beside ours, which takes that season out first.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from forecast_networks import HORIZON, LEVEL, NETWORKS, figures, load_panel, origins
from forecast_others import cpu_s
from headway.forecast import MEMBERS

SLOW = {"arima": (40, 4), "arima_24": (4, 6), "prophet": (20, 4)}  # series, every so many origins


def asked(python, folder, name, steps, seed):
    """What the other interpreter says, and its CPU seconds."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
    script = str(Path(__file__).with_name("forecast_others.py"))
    subprocess.run(
        [python, script, str(folder), name, str(steps), str(seed)], check=True, env=quiet,
        cwd=folder, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    found = np.load(folder / "said.npz")
    return found["said"], float(found["cpu_s"])


def ours(name, panel, steps, seed):
    """What Headway's member says, and its CPU seconds."""
    name = name.removesuffix("_24")
    more = {"refit_growth": 9.0} if name in (*NETWORKS, "boosted") else {}
    more |= {"horizon": panel["horizon"]} if name in NETWORKS else {}
    more |= {"steps": steps} if steps and name in NETWORKS else {}
    begun = cpu_s()
    member = MEMBERS[name]((24, 168), seed=seed, **more)
    said, known = [], 0
    for start in panel["starts"]:
        member.learn(panel["at_s"][known:start], panel["y"][known:start])
        known = start
        said.append(member.forecast(panel["horizon"]).quantiles)
    return np.array(said), cpu_s() - begun


def panel_of(chosen, name):
    """The series and origins of one model; origins are spread over the held-out time."""
    _, at_s, y, held_out = load_panel(chosen.data, "held_out")
    is_long = np.isfinite(y[: held_out.min() - 168]).sum(axis=0) > 0
    series, every = SLOW.get(name, (chosen.series, 1))
    picked = np.flatnonzero(is_long)[: min(series, chosen.series)]
    starts = origins(len(y), held_out[picked])[::every]
    panel = {
        "at_s": at_s, "y": y[:, picked], "starts": np.array([start for start, _ in starts]),
        "horizon": HORIZON, "levels": LEVEL,
    }  # fmt: skip
    return panel, starts


def compare(chosen):
    """Print both, model by model and seed by seed."""
    for name in chosen.members.split(","):
        panel, starts = panel_of(chosen, name)
        print(f"{panel['y'].shape[1]} series, {len(starts)} origins", flush=True)
        for seed in map(int, chosen.seeds.split(",")):
            with TemporaryDirectory() as folder:
                np.savez(Path(folder) / "panel.npz", **panel)
                answers = {
                    "ours": ours(name, panel, chosen.steps, seed),
                    "theirs": asked(chosen.python, Path(folder), name, chosen.theirs, seed),
                }
            for who, (said, spent_s) in answers.items():
                pairs = [(levels[..., LEVEL == 0.5][..., 0], levels) for levels in said]
                row = figures(pairs, panel["y"], starts, HORIZON)
                words = " ".join(f"{key} {value:.4f}" for key, value in row.items())
                print(f"{name:12s} seed {seed} {who:6s} {words} CPU {spent_s:.1f} s", flush=True)


def main():
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("python")
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--members", default="lstm,gru,transformer,boosted,arima,prophet")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--theirs", type=int, default=400)
    compare(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
