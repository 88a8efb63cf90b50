"""Is the combination of forecasters better than each of them, and are its intervals right?

    forecast_combination.py DATA [--part held_out|tuning] [--origins 4] [--cache DIR] [MEMBER ...]

64 hourly series of cluster load (load_series.py), 24 hours ahead, the last origins a day apart, all
of them in the last 30 % of each series' time (a series is scored only at origins that are). The
combination at an origin is weighed by what members said at the six days before it. `tuning` is the
same on time before the held-out part, and is what constants of the combination were chosen on.
Scores are means over series, in units of the mean change from one day to the next in what was known
at the first origin: MASE, and quantile loss (twice the pinball loss, mean over levels).
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from headway.forecast import LEVELS, MEMBERS
from headway.forecast.mixture import ORIGINS
from headway.protocols import Panel
from headway.stats import mase, pinball_loss
from headway.verify.backtest import Played, play, together
from load_series import HORIZON, load_panel


def played(panel, name, cuts, kept):
    """What a member said at origins, kept in a file if there is a folder."""
    path = kept / f"{name}.npz" if kept else None
    if path is not None and path.exists():
        with np.load(path) as found:
            return Played(found["quantiles"], found["value"], float(found["cpu_s"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = play(panel, name, HORIZON, cuts, 0)
    if path is not None:
        np.savez(path, quantiles=one.quantiles, value=one.value, cpu_s=one.cpu_s)
    return one


def scores(panel, model, cuts, held_out):
    """MASE and scaled quantile loss (n,) of each series over the origins that are held out."""
    n = len(panel.names)
    errors, losses = np.full(n, np.nan), np.full(n, np.nan)
    for i in range(n):
        rows = [o for o, cut in enumerate(cuts) if cut >= held_out[i]]
        if not rows:
            continue
        came = np.concatenate([panel.y[cuts[o] : cuts[o] + HORIZON, i] for o in rows])[:, None]
        value = np.concatenate([model.value[o, :, i] for o in rows])[:, None]
        quantiles = np.concatenate([model.quantiles[o, :, i] for o in rows])
        past = panel.y[: cuts[0], [i]]
        errors[i] = mase(came, value, past, 24)[0]
        known = np.isfinite(came[:, 0])
        loss = pinball_loss(came[known, 0], quantiles[known], np.array(LEVELS)).mean()
        scale = np.nanmean(np.abs(past[24:] - past[:-24]))
        losses[i] = 2.0 * loss / scale if scale > 0 else np.nan
    return errors, losses


def coverage(panel, model, cuts, held_out, low, high):
    """How often what came was within two levels, over all that is held out."""
    inside = known = 0
    for o, cut in enumerate(cuts):
        y = panel.y[cut : cut + HORIZON]
        kept = np.isfinite(y) & (cut >= held_out)[None, :]
        said = model.quantiles[o]
        is_in = (y >= said[..., LEVELS.index(low)]) & (y <= said[..., LEVELS.index(high)])
        inside, known = inside + (is_in & kept).sum(), known + kept.sum()
    return inside / known


def main():
    """Judge every member, their median and the combination."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("members", nargs="*", default=list(MEMBERS))
    parser.add_argument("--part", default="held_out")
    parser.add_argument("--origins", type=int, default=4)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    names, at_s, y, held_out = load_panel(given.data, given.part)
    panel = Panel(tuple(names), at_s, y, 3600.0, (24, 168))
    cuts = [len(at_s) - HORIZON * k for k in range(given.origins + ORIGINS, 0, -1)]
    kept = given.cache / given.part if given.cache else None
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
    found = {name: played(panel, name, cuts, kept) for name in given.members}
    models = together(panel, found, HORIZON, cuts, given.origins)
    judged = cuts[-given.origins :]
    naive = scores(panel, models["seasonal_naive"], judged, held_out)
    print(f"{len(names)} series, {given.origins} origins, {given.part}")
    print("| model | MASE | quantile loss | over seasonal naive's | in 80 % | in 95 % | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for name, model in models.items():
        error, loss = scores(panel, model, judged, held_out)
        within = [
            coverage(panel, model, judged, held_out, low, high)
            for low, high in ((0.1, 0.9), (0.025, 0.975))
        ]
        print(
            f"| {name} | {np.nanmean(error):.3f} | {np.nanmean(loss):.4f} | "
            f"{np.nanmean(error) / np.nanmean(naive[0]):.3f}, "
            f"{np.nanmean(loss) / np.nanmean(naive[1]):.3f} | "
            f"{' | '.join(f'{w:.1%}' for w in within)} | {model.cpu_s:.0f} |"
        )


if __name__ == "__main__":
    main()
