"""What other libraries' models say of a panel; run by the interpreter that has them.

forecast_others.py FOLDER MODEL STEPS SEED: reads panel.npz of the folder (at_s, y, starts, horizon,
levels), writes said.npz (said (origins, horizon, n_series, q), cpu_s). Called by
forecast_crosscheck.py. Each fits its data once where a global model can, at each origin else.
"""

import logging
import os
import sys
import warnings
from pathlib import Path

import numpy as np

CALENDAR = ["day_sin", "day_cos", "week_sin", "week_cos"]
CONTEXT = {"lstm": 72, "gru": 72, "transformer": 168}
SEASONS = (24, 168)


def cpu_s():
    """CPU seconds of this process and of those that it ran."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def frame_of(panel):
    """The panel as Nixtla's libraries read it: a row a point, gaps filled by what was last seen."""
    import pandas as pd

    at_s, y = panel["at_s"], panel["y"]
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
        frame[f"{name}_sin"] = np.tile(np.sin(angle), n)
        frame[f"{name}_cos"] = np.tile(np.cos(angle), n)
    frame["y"] = frame.groupby("unique_id")["y"].ffill().bfill()
    return frame


def network(panel, name, steps, seed):
    """LSTM, GRU or PatchTST of neuralforecast."""
    import torch
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import GRU, LSTM, PatchTST

    torch.set_num_threads(1)
    y, horizon, starts = panel["y"], int(panel["horizon"]), panel["starts"]
    settings = {
        "h": horizon, "input_size": CONTEXT[name], "max_steps": steps,
        "loss": MQLoss(quantiles=panel["levels"].tolist()), "batch_size": y.shape[1],
        "windows_batch_size": 128, "random_seed": seed, "accelerator": "cpu", "devices": 1,
        "logger": False, "enable_progress_bar": False, "enable_model_summary": False,
        "enable_checkpointing": False, "scaler_type": "robust",
    }  # fmt: skip
    if name == "transformer":
        model = PatchTST(
            **settings, patch_len=12, stride=12, hidden_size=48, n_heads=4, encoder_layers=2,
            linear_hidden_size=96,
        )  # fmt: skip
    else:
        model = (LSTM if name == "lstm" else GRU)(
            **settings, encoder_hidden_size=64, encoder_n_layers=1, decoder_hidden_size=64,
            futr_exog_list=CALENDAR,
        )  # fmt: skip
    forecaster = NeuralForecast(models=[model], freq="h")
    calendar, frame = ([] if name == "transformer" else CALENDAR), frame_of(panel)
    step, frame = frame.pop("step").to_numpy(), frame[["unique_id", "ds", "y", *calendar]]
    forecaster.fit(frame[step < starts[0]])
    for start in starts:
        past = frame[(step < start) & (step >= start - 400)]
        ahead = frame[(step >= start) & (step < start + horizon)].drop(columns="y")
        yield in_order(forecaster.predict(df=past, futr_df=ahead if calendar else None), panel)


def trees(panel, name, steps, seed):
    """LightGBM by mlforecast, recursive, on the lags of ours and with conformal intervals."""
    import lightgbm
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.target_transforms import LocalStandardScaler
    from mlforecast.utils import PredictionIntervals

    horizon, starts = int(panel["horizon"]), panel["starts"]
    model = lightgbm.LGBMRegressor(
        objective="l1", n_estimators=100, num_leaves=31, n_jobs=1, verbosity=-1, random_state=seed
    )
    forecaster = MLForecast(
        models={"trees": model}, freq="h", date_features=["hour", "dayofweek"], num_threads=1,
        lags=[1, *(k * m for m in SEASONS for k in (1, 2))],
        target_transforms=[LocalStandardScaler()],
        lag_transforms={1: [RollingMean(window_size=w, min_samples=1) for w in (3, 6, 24, 168)]},
    )  # fmt: skip
    frame = frame_of(panel)
    step, frame = frame.pop("step").to_numpy(), frame[["unique_id", "ds", "y"]]
    intervals = PredictionIntervals(n_windows=4, h=horizon)
    forecaster.fit(frame[step < starts[0]], prediction_intervals=intervals, static_features=[])
    for start in starts:
        past = frame[(step < start) & (step >= start - 400)]
        asked = sorted({round(100 * abs(1 - 2 * q), 6) for q in panel["levels"]} - {0})
        yield from_intervals(forecaster.predict(horizon, new_df=past, level=asked), "trees", panel)


def arima(panel, name, steps, seed):
    """AutoARIMA of statsforecast: with a season of 24, or of what its MSTL leaves."""
    from statsforecast import StatsForecast
    from statsforecast.models import MSTL, AutoARIMA

    model = AutoARIMA(season_length=24)
    if name == "arima":
        model = MSTL(season_length=list(SEASONS), trend_forecaster=AutoARIMA())
    forecaster = StatsForecast(models=[model], freq="h", n_jobs=1)
    frame = frame_of(panel)
    step, frame = frame.pop("step").to_numpy(), frame[["unique_id", "ds", "y"]]
    asked = sorted({round(100 * abs(1 - 2 * q), 6) for q in panel["levels"]} - {0})
    for start in panel["starts"]:
        answer = forecaster.forecast(df=frame[step < start], h=int(panel["horizon"]), level=asked)
        yield from_intervals(answer, type(model).__name__, panel)


def prophet(panel, name, steps, seed):
    """Prophet as it comes: seasons as it guesses them, its own samples."""
    from prophet import Prophet

    horizon, frame = int(panel["horizon"]), frame_of(panel)
    np.random.seed(seed)
    for start in panel["starts"]:
        said = []
        for _, one in frame.groupby("unique_id"):
            model = Prophet().fit(one[one["step"] < start][["ds", "y"]])
            ahead = one[(one["step"] >= start) & (one["step"] < start + horizon)][["ds"]]
            said.append(
                np.quantile(model.predictive_samples(ahead)["yhat"], panel["levels"], axis=1)
            )
        yield np.array(said).transpose(2, 0, 1)


def in_order(answer, panel):
    """Quantiles (horizon, n, q), in order, of a frame of answers."""
    columns = [c for c in answer.columns if c not in ("unique_id", "ds")]
    found = answer.sort_values(["unique_id", "ds"])[columns].to_numpy(dtype=float)
    n, horizon = panel["y"].shape[1], int(panel["horizon"])
    return np.sort(found.reshape(n, horizon, -1).transpose(1, 0, 2), axis=2)


def from_intervals(answer, name, panel):
    """Quantiles (horizon, n, q) of a frame that has the ends of intervals."""
    wanted = [name]
    for q in panel["levels"][panel["levels"] != 0.5]:
        share = round(100 * abs(1 - 2 * q), 6)
        wanted.append(f"{name}-{'lo' if q < 0.5 else 'hi'}-{share:g}")
    named = {f"{c.rsplit('-', 1)[0]}-{float(c.rsplit('-', 1)[1]):g}": c for c in answer if "-" in c}
    columns = [named.get(each, each) for each in wanted]
    return in_order(answer[["unique_id", "ds", *columns]], panel)


MODELS = {
    **dict.fromkeys(CONTEXT, network), "boosted": trees, "arima": arima, "arima_24": arima,
    "prophet": prophet,
}  # fmt: skip


def main():
    """Answer one model."""
    folder, name, steps, seed = sys.argv[1:]
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    with np.load(Path(folder) / "panel.npz") as found:
        panel = dict(found)
    begun = cpu_s()
    said = list(MODELS[name](panel, name, int(steps), int(seed)))
    np.savez(Path(folder) / "said.npz", said=np.array(said), cpu_s=cpu_s() - begun)


if __name__ == "__main__":
    main()
