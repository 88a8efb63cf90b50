"""Are our LSTM, GRU and transformer at least as good as neuralforecast's, on the same budget?

python benchmarks/forecast_crosscheck.py DATA PYTHON [--series 40] [--steps N] [--theirs N]
    [--members lstm,gru,transformer]
PYTHON: an interpreter that has neuralforecast 3. 40 cluster-load series of two months, one fit
before the first held-out origin, no refit; ours and theirs forecast from the same 12 origins, with
the same levels. Each step of either trains on as many windows; CPU seconds are of fit and answers.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

CALENDAR = ["day_sin", "day_cos", "week_sin", "week_cos"]
CONTEXT = {"lstm": 72, "gru": 72, "transformer": 168}


def theirs(folder, name, steps, seed):
    """Write what neuralforecast's model of this name says of the panel in a folder."""
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    import torch
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import GRU, LSTM, PatchTST

    torch.set_num_threads(1)
    panel = np.load(folder / "panel.npz")
    at_s, y, starts = panel["at_s"], panel["y"], panel["starts"]
    horizon, levels = int(panel["horizon"]), panel["levels"]
    frame = _frame(at_s, y)
    settings = {
        "h": horizon, "input_size": CONTEXT[name], "loss": MQLoss(quantiles=levels.tolist()),
        "max_steps": steps, "batch_size": y.shape[1], "windows_batch_size": 128,
        "random_seed": seed, "accelerator": "cpu", "devices": 1, "logger": False,
        "enable_progress_bar": False, "enable_model_summary": False,
        "enable_checkpointing": False, "scaler_type": "robust",
    }  # fmt: skip
    if name == "transformer":
        model = PatchTST(
            **settings, patch_len=12, stride=12, hidden_size=48, n_heads=4, encoder_layers=2,
            linear_hidden_size=96,
        )  # fmt: skip
    else:
        kind = LSTM if name == "lstm" else GRU
        model = kind(
            **settings, encoder_hidden_size=64, encoder_n_layers=1, decoder_hidden_size=64,
            futr_exog_list=CALENDAR,
        )  # fmt: skip
    begun = time.process_time()
    forecaster = NeuralForecast(models=[model], freq="h")
    calendar = [] if name == "transformer" else CALENDAR
    step, frame = frame.pop("step").to_numpy(), frame[["unique_id", "ds", "y", *calendar]]
    forecaster.fit(frame[step < starts[0]])
    said = []
    for start in starts:
        past = frame[(step < start) & (step >= start - 400)]
        ahead = frame[(step >= start) & (step < start + horizon)].drop(columns="y")
        answer = forecaster.predict(df=past, futr_df=ahead if calendar else None)
        said.append(_quantiles(answer, y.shape[1], horizon))
    np.savez(folder / "said.npz", said=np.array(said), cpu_s=time.process_time() - begun)


def _frame(at_s, y):
    """The panel as neuralforecast reads it: a row a point, gaps filled by what was last seen."""
    import pandas as pd

    steps, n = y.shape
    day, week = 2 * np.pi * (at_s / 86_400 % 1), 2 * np.pi * (at_s / 604_800 % 1)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"{i:03d}" for i in range(n)], steps),
            "ds": np.tile(pd.to_datetime(at_s, unit="s"), n),
            "step": np.tile(np.arange(steps), n),
            "y": y.T.ravel(),
        }
    )
    for name, angle in (("day", day), ("week", week)):
        frame[f"{name}_sin"], frame[f"{name}_cos"] = (
            np.tile(np.sin(angle), n),
            np.tile(np.cos(angle), n),
        )
    frame["y"] = frame.groupby("unique_id")["y"].ffill().bfill()
    return frame


def _quantiles(answer, n, horizon):
    """Quantiles (horizon, n, q), in order, of a frame of answers."""
    columns = [c for c in answer.columns if c not in ("unique_id", "ds")]
    found = answer.sort_values(["unique_id", "ds"])[columns].to_numpy(dtype=float)
    return np.sort(found.reshape(n, horizon, -1).transpose(1, 0, 2), axis=2)


def asked(python, folder, name, steps, seed):
    """What the other interpreter says, and its CPU seconds."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
    command = [python, __file__, "--folder", str(folder), "--members", name]
    subprocess.run(
        [*command, "--theirs", str(steps), "--seeds", str(seed)], check=True, env=quiet,
        cwd=folder, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    found = np.load(folder / "said.npz")
    return found["said"], float(found["cpu_s"])


def ours(name, panel, steps, seed):
    """What Headway's member says, and its CPU seconds."""
    from headway.forecast import MEMBERS

    more = {"steps": steps} if steps else {}
    begun = time.process_time()
    member = MEMBERS[name]((24, 168), horizon=panel["horizon"], seed=seed, refit_growth=9.0, **more)
    said, known = [], 0
    for start in panel["starts"]:
        member.learn(panel["at_s"][known:start], panel["y"][known:start])
        known = start
        said.append(member.forecast(panel["horizon"]).quantiles)
    return np.array(said), time.process_time() - begun


def compare(chosen):
    """Print both, model by model and seed by seed."""
    from forecast_networks import HORIZON, LEVEL, figures, load_panel, origins

    _, at_s, y, held_out = load_panel(chosen.data, "held_out")
    is_long = np.isfinite(y[: held_out.min() - 168]).sum(axis=0) > 0
    picked = np.flatnonzero(is_long)[: chosen.series]
    starts = origins(len(y), held_out[picked])
    panel = {
        "at_s": at_s, "y": y[:, picked], "starts": np.array([start for start, _ in starts]),
        "horizon": HORIZON, "levels": LEVEL,
    }  # fmt: skip
    print(f"{len(picked)} series, {len(starts)} origins", flush=True)
    for name in chosen.members.split(","):
        for seed in map(int, chosen.seeds.split(",")):
            with TemporaryDirectory() as folder:
                np.savez(Path(folder) / "panel.npz", **panel)
                answers = {
                    "ours": ours(name, panel, chosen.steps, seed),
                    "theirs": asked(chosen.python, Path(folder), name, chosen.theirs, seed),
                }
            for who, (said, cpu_s) in answers.items():
                pairs = [(levels[..., LEVEL == 0.5][..., 0], levels) for levels in said]
                row = figures(pairs, panel["y"], starts, HORIZON)
                words = " ".join(f"{key} {value:.4f}" for key, value in row.items())
                print(f"{name:12s} seed {seed} {who:6s} {words} CPU {cpu_s:.0f} s", flush=True)


def main():
    """Compare, or answer as the other side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?")
    parser.add_argument("python", nargs="?")
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--members", default="lstm,gru,transformer")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--theirs", type=int, default=400)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    if chosen.folder:
        theirs(chosen.folder, chosen.members, chosen.theirs, int(chosen.seeds))
    else:
        compare(chosen)


if __name__ == "__main__":
    sys.exit(main())
