"""Settings of a predictor's training searched on earlier time, and what they bring on later time.

A history is cut by its submissions: a model is taught what had ended by the middle of it and then,
block by block, asked about what came next. The search sees the blocks from 40 to 70 % of the tasks
only; whether its best settings are better than ours is judged on the rest, which it never saw.
Source of the search: Akiba et al. (2019), Optuna, with its tree-structured Parzen estimator
(Bergstra et al. 2011) and pruning at the median (Golovin et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.predict.boosted import LEVELS, Boosted
from headway.predict.xgboosted import XGBoosted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.predict.columns import Columns
    from headway.protocols import Features

    Floats = NDArray[np.float64]

MEMBERS: Final = ("boosted", "xgboosted")
SEARCHED: Final = (0.4, 0.5, 0.6, 0.7)
"""Shares of the tasks at which a model is fitted anew for the next block, while searching."""
JUDGED: Final = (0.7, 0.8, 0.9, 1.0)
"""The same for the judgement."""
_LEAST: Final = 500  # tasks with an outcome
_WINDOW: Final = 20_000  # outcomes before a cut that are learned
_RESAMPLES: Final = 1_000
_WARM_UP: Final = 5  # trials that are never pruned

_RANGES: Final[dict[str, dict[str, tuple[float, float, bool]]]] = {
    "boosted": {
        "learning_rate": (0.03, 0.3, True), "num_leaves": (7, 32, True),
        "min_data_in_leaf": (5, 200, True), "feature_fraction": (0.1, 1.0, False),
        "bagging_fraction": (0.2, 1.0, False), "lambda_l2": (1e-3, 30.0, True),
    },
    "xgboosted": {
        "eta": (0.03, 0.3, True), "max_depth": (3, 10, False), "min_child_weight": (2, 200, True),
        "colsample_bynode": (0.05, 1.0, False), "subsample": (0.2, 1.0, False),
        "lambda": (1e-3, 30.0, True),
    },
}  # fmt: skip
_WHOLE: Final = ("num_leaves", "min_data_in_leaf", "max_depth", "min_child_weight", "rounds")
_ROUNDS: Final = (20, 150, True)


@dataclass(frozen=True, slots=True)
class Told:
    """A history as tuning needs it: rows in the order of submission, times in seconds."""

    x: Features
    y: Floats  # (n,), NaN = never known
    ended_s: Floats  # (n,), when the outcome became known
    censored: NDArray[np.bool_]  # (n,)
    columns: Columns  # that a model looks at


def tune(
    told: Told,
    member: str,
    journal: Path,
    *,
    seconds: float,
    resume: bool = False,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
    trials: int | None = None,
) -> dict[str, Any]:
    """Search for `seconds` (and at most `trials`), then judge; the settings and what they bring.

    journal: a file to which every trial is appended, so that a search that was stopped goes on
    with resume. The last trial may take longer than the time that is left.
    """
    import optuna

    if member not in MEMBERS:
        raise ConfigError(f"member must be one of {', '.join(MEMBERS)}, got {member!r}")
    if np.isfinite(told.y).sum() < _LEAST:
        known = int(np.isfinite(told.y).sum())
        raise NotEnoughData(f"tuning needs {_LEAST} tasks with a known outcome, got {known}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(told, member, journal, resume=resume, seed=seed)
    before = len(study.trials)

    starts: list[Any] = []

    def tell(_study: Any, trial: Any) -> None:
        starts.append(trial.datetime_start)
        spent = (trial.datetime_complete - starts[0]).total_seconds() / seconds
        if progress is not None:
            progress(max(spent, len(starts) / (trials or np.inf)))

    study.optimize(
        lambda trial: _score_of(trial, told, member, seed),
        n_trials=trials, timeout=seconds, callbacks=[tell],
    )  # fmt: skip
    best = dict(study.best_trial.params)
    states = [trial.state.name.lower() for trial in study.trials]
    return {
        "member": member, "settings": best,
        "trials": {state: states.count(state) for state in sorted(set(states))},
        "trials_before": before, "search": _search(study),
        "judged": judge(told, member, best, seed),
    }  # fmt: skip


def judge(told: Told, member: str, settings: Mapping[str, float], seed: int) -> dict[str, Any]:
    """Pinball loss of the log on the part never searched, of our settings and of these.

    difference: mean loss of these less that of ours, with a 95 % interval from drawing whole days
    anew; it is a gain only where the interval lies below 0.
    """
    losses = {}
    for name, chosen in (("defaults", {}), ("tuned", dict(settings))):
        parts = [_block(told, member, chosen, begin, end, seed) for begin, end in pairwise(JUDGED)]
        rows = np.concatenate([rows for rows, _ in parts])
        losses[name] = np.concatenate([loss for _, loss in parts])
    difference = losses["tuned"] - losses["defaults"]
    days = np.unique(told.x.at_s[rows] // 86400.0, return_inverse=True)[1]
    sums, counts = np.bincount(days, difference), np.bincount(days)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {
        "tasks": len(rows),
        "defaults_pinball_log": float(losses["defaults"].mean()),
        "tuned_pinball_log": float(losses["tuned"].mean()),
        "difference": float(difference.mean()),
        "difference_95": [float(low), float(high)],
        "is_gain": bool(high < 0.0),
    }


def _study(told: Told, member: str, journal: Path, *, resume: bool, seed: int) -> Any:
    """The search as the journal knows it; ConfigError if it is another's or was not expected."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    if journal.exists() and not resume:
        raise ConfigError(f"{journal} is there already; pass --resume to go on, or remove it")
    mark = f"{len(told.x)} tasks, {np.nansum(told.y):.6g} in all, version {told.x.version}"
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(
        storage=storage, study_name=f"{member} {mark}", load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_WARM_UP, n_warmup_steps=0),
    )  # fmt: skip
    if len(storage.get_all_studies()) > 1:
        raise ConfigError(f"{journal} is of another history or member; give another --out")
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    if not any(_is_ours(trial) for trial in study.trials):
        study.enqueue_trial(_ours(member), user_attrs={"is_ours": True})
    return study


def _ours(member: str) -> dict[str, float]:
    """Our own settings, as a trial."""
    from headway.predict import boosted, xgboosted

    known = boosted._SETTINGS if member == "boosted" else xgboosted._SETTINGS
    rounds = 50.0
    unset = {"lambda_l2": 1e-3, "lambda": 1.0, "learning_rate": boosted.RATES / rounds}
    found = {name: float(known.get(name, unset.get(name, 0.0))) for name in _RANGES[member]}
    return found | {"rounds": rounds}


def _score_of(trial: Any, told: Told, member: str, seed: int) -> float:
    """Mean loss over the blocks that are searched; pruned where it is hopeless after one."""
    import optuna

    settings: dict[str, float] = {}
    known = _known_by(told, SEARCHED[-1])
    for name, (low, high, is_log) in (_RANGES[member] | {"rounds": _ROUNDS}).items():
        ask = trial.suggest_int if name in _WHOLE else trial.suggest_float
        whole = int if name in _WHOLE else float
        settings[name] = ask(name, whole(low), whole(high), log=is_log)
    losses = np.zeros(0)
    for step, (begin, end) in enumerate(pairwise(SEARCHED)):
        losses = np.append(losses, _block(known, member, settings, begin, end, seed)[1])
        trial.report(float(losses.mean()), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return float(losses.mean())


def _known_by(told: Told, share: float) -> Told:
    """The same, without outcomes that came after the submission of this share of the tasks."""
    cut_s = told.x.at_s[min(int(share * len(told.x)), len(told.x) - 1)]
    return replace(told, y=np.where(told.ended_s <= cut_s, told.y, np.nan))


def _block(
    told: Told, member: str, settings: Mapping[str, float], begin: float, end: float, seed: int
) -> tuple[NDArray[np.intp], Floats]:
    """Rows (m,) from a share of the tasks to another and their losses (m,), asked at `begin`."""
    n = len(told.x)
    asked = np.arange(int(begin * n), int(end * n))
    asked = asked[np.isfinite(told.y[asked])]
    cut_s = told.x.at_s[int(begin * n)]
    past = np.flatnonzero(np.isfinite(told.y) & (told.ended_s <= cut_s))
    past = past[np.argsort(told.ended_s[past], kind="stable")][-_WINDOW:]
    if not len(past) or not len(asked):
        return asked, np.zeros(len(asked))
    own = dict(settings)
    rounds = int(own.pop("rounds", 50))
    maker: Any = Boosted if member == "boosted" else XGBoosted
    model = maker(
        told.columns.names, anchors=told.columns.anchors, cap=told.columns.cap, rounds=rounds,
        seed=seed, settings=own, window=len(past), first_fit=len(past),
    )  # fmt: skip
    model.learn(told.x.take(past), told.y[past], told.censored[past])
    said = np.log1p(model.predict(told.x.take(asked)).quantiles)
    error, levels = np.log1p(told.y[asked])[:, None] - said, np.array(LEVELS)
    return asked, np.maximum(levels * error, (levels - 1.0) * error).mean(axis=1)


def _search(study: Any) -> dict[str, float]:
    """What the search saw: the loss of our settings, which it tries first, and of the best."""
    ours = next(trial for trial in study.trials if _is_ours(trial))
    return {
        "defaults_pinball_log": float(ours.value),
        "tuned_pinball_log": float(study.best_value),
    }


def _is_ours(trial: Any) -> bool:
    """Whether a trial is of our own settings and came to its end; a killed one has no value."""
    return "is_ours" in trial.user_attrs and trial.value is not None
