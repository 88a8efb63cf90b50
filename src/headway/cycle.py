"""Retraining: is it due, does what comes of it win on the newest tasks, and what is kept of it.

The challenger that is judged has learned what ended before the window that judges began; what is
published is the same training carried on to the end of the log, not current: a rollout decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError, NotEnoughData
from headway.features import History
from headway.predict import load, save
from headway.predict.sizing import RightSizer
from headway.store.models import ModelMeta
from headway.store.revision import revision
from headway.verify.duel import Side, drift_of, duel
from headway.verify.replay import replay
from headway.verify.summary import taught_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headway.predict import Conformal
    from headway.protocols import Features
    from headway.store import ModelStore
    from headway.verify.replay import Replayed

    Progress = Callable[[str, float], None]

CONDITIONS: Final = ("age_days", "outcomes", "drift")
NAMES: Final = ("runtime", "memory", "sizing", "history")
LEAST: Final = 200  # new tasks that ended, with which a challenger can be judged
WINDOW: Final = 5000  # newest tasks that judge at the most
DRIFT: Final = 2000  # newest tasks whose intervals are looked at
MOST: Final = 1_000_000  # newest tasks of a log that teach; those before are history alone
PART: Final = 50_000  # tasks of the history that are held at once
DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Home:
    """The log of a home, in order of submission, and the models that serve now."""

    tasks: pl.DataFrame
    version: str  # of the history, which names the training
    created_s: float
    newest_s: float  # the last end that the training knew
    champion: Side

    @property
    def new(self) -> pl.DataFrame:
        """Tasks that came and ended after the training."""
        is_new = (pl.col("submitted_s") > self.newest_s) & pl.col("ended_s").is_not_null()
        return self.tasks.filter(is_new)


def home_of(tasks: pl.DataFrame, models: ModelStore) -> Home:
    """A home as it is; ConfigError where it has no models, or they do not say what they know."""
    if not models.versions("history"):
        raise ConfigError("there are no trained models: run headway optimize --home first")
    kept = models.load("history")
    newest_s = kept.meta.metrics.get("newest_s")
    if newest_s is None:
        raise ConfigError(
            f"history {kept.version} does not say what it was taught: run headway optimize once"
        )
    parts: dict[str, Any] = {}
    for name in NAMES[:-1]:
        model = models.load(name) if models.versions(name) else None
        if model is not None and model.meta.created_s == kept.meta.created_s:
            parts[name] = (RightSizer.load if name == "sizing" else load)(model.files)
    champion = Side(
        History.load(kept.files), parts.get("runtime"), parts.get("memory"), parts.get("sizing")
    )
    tasks = tasks.sort("submitted_s", maintain_order=True)
    return Home(tasks, kept.version, kept.meta.created_s, newest_s, champion)


def facts_of(home: Home, now_s: float, *, with_drift: bool) -> dict[str, float | None]:
    """What conditions ask for: days since the training, new outcomes, drift (None = not known)."""
    newest = home.new.sort("ended_s").tail(DRIFT).sort("submitted_s")
    return {
        "age_days": (now_s - home.created_s) / DAY_S,
        "outcomes": float(home.new.height),
        "drift": drift_of(home.champion, newest) if with_drift else None,
    }


def due(conditions: Mapping[str, float], facts: Mapping[str, float | None]) -> tuple[bool, str]:
    """Whether one of the conditions holds (none = always), and why or why not.

    >>> due({"outcomes": 100.0}, {"outcomes": 7.0})
    (False, 'outcomes is 7, not yet 100')
    """
    unknown = set(conditions) - set(CONDITIONS)
    if unknown:
        raise ConfigError(f"if must name {', '.join(CONDITIONS)}, got {', '.join(sorted(unknown))}")
    if not conditions:
        return True, "it was asked for"
    known = {name: facts[name] for name in conditions}
    met = [n for n, least in conditions.items() if (x := known[n]) is not None and x >= least]
    if met:
        return True, ", ".join(f"{n} is {known[n]:.4g}, at least {conditions[n]:g}" for n in met)
    said = [
        f"{n} is not known" if known[n] is None else f"{n} is {known[n]:.4g}, not yet {least:g}"
        for n, least in conditions.items()
    ]
    return False, "; ".join(said)


@dataclass(frozen=True, slots=True)
class Challenger:
    """What a retraining gives: the verdict, and the models by name as files."""

    verdict: dict[str, Any]
    files: Mapping[str, Mapping[str, bytes]]
    metrics: Mapping[str, float]
    features_version: str


def challenge(home: Home, coverage: float, progress: Progress) -> Challenger:
    """Train anew on the log and judge on its newest tasks; NotEnoughData if they are few.

    Of a log of more than MOST tasks the newest teach; the others are the history that describes
    them.
    """
    new = home.new
    if new.height < LEAST:
        raise NotEnoughData(
            f"{new.height} tasks came and ended since the training, {LEAST} are needed to judge"
        )
    window = new.tail(min(max(new.height // 2, LEAST // 2), WINDOW))
    start_s = float(window["submitted_s"][0])
    tasks, before = home.tasks.tail(MOST), home.tasks.head(max(home.tasks.height - MOST, 0))
    past = _past(known_at(before, float(tasks["submitted_s"][0])))
    runtime, early = _taught(tasks, "runtime_s", None, start_s, progress, past)
    memory, early_memory = _taught(tasks, "memory_bytes", runtime, start_s, progress)
    sizer, early_sizer = _sized(tasks, memory, start_s, coverage)
    history = _past(known_at(home.tasks, start_s))
    progress("Judging on the newest tasks", 0.0)
    mine = Side(history, early, early_memory, early_sizer)
    verdict = duel(home.champion, mine, window, coverage)
    progress("Judging on the newest tasks", 1.0)
    kept: dict[str, Mapping[str, bytes]] = {}
    if not runtime.refused:
        kept["runtime"] = save(runtime.predictor)
    if sizer is not None:
        kept["memory"], kept["sizing"] = save(memory.predictor), sizer.save()
    kept["history"] = runtime.history.save()
    judged = {"tasks": window.height, "from_s": start_s, "to_s": float(window["submitted_s"][-1])}
    return Challenger(
        verdict | {"window": judged}, kept, taught_on(home.tasks), runtime.features.version
    )


def publish(
    challenger: Challenger, models: ModelStore, created_s: float, data_version: str = ""
) -> str:
    """Keep a challenger's models, not current; the version of its history, which names it.

    The training of the same created_s is kept once, whoever died in between: its history is last.
    """
    for version in reversed(models.versions("history")):
        if models.load("history", version).meta.created_s == created_s:
            return version
    meta = ModelMeta(
        created_s=created_s, features_version=challenger.features_version,
        metrics=challenger.metrics, data_version=data_version, git_revision=revision(),
    )  # fmt: skip
    version = ""
    for name, files in challenger.files.items():
        version = models.publish(name, files, meta, is_current=False)
    return version


def known_at(tasks: pl.DataFrame, at_s: float) -> pl.DataFrame:
    """A table as it was known before a moment: later submissions, starts and ends are not in it."""
    ended, started = pl.col("ended_s") < at_s, pl.col("started_s") < at_s
    measured = ("memory_peak_bytes", "memory_sampled_bytes", "cpu_s", "read_bytes", "exit_code")
    return tasks.filter(pl.col("submitted_s") < at_s).with_columns(
        pl.when(started).then(pl.col("started_s")).alias("started_s"),
        pl.when(ended).then(pl.col("state")).otherwise(pl.lit("unknown")).alias("state"),
        *(pl.when(ended).then(pl.col(name)).alias(name) for name in ("ended_s", *measured)),
    )


def _past(tasks: pl.DataFrame) -> History:
    """The history of a table, whose features are not held."""
    history = History()
    for _ in history.walk(tasks.iter_slices(PART)):
        pass
    return history


def _taught(
    tasks: pl.DataFrame,
    target: str,
    described: Replayed | None,
    start_s: float,
    progress: Progress,
    history: History | None = None,
) -> tuple[Replayed, Any]:
    """A replay of the whole log, and its predictor as of a moment."""
    early: list[Any] = []

    def paused(_pause: int, predictor: Conformal, _x: Features, learned: int) -> None:
        early.append(load(save(predictor)) if learned else None)

    what = f"Training {target.split('_')[0]}"
    replayed = replay(
        tasks, target, described=described, orders=True, pauses_s=[start_s], paused=paused,
        progress=partial(progress, what), history=history,
    )  # fmt: skip
    return replayed, early[0] if early else None


def _sized(
    tasks: pl.DataFrame, memory: Replayed, start_s: float, coverage: float
) -> tuple[RightSizer | None, RightSizer | None]:
    """The right-sizer after the whole log, and as of a moment; None if no peak is known."""
    if memory.refused:
        return None, None
    early: list[RightSizer] = []
    sizer = RightSizer(coverage)
    submitted_s = tasks["submitted_s"].to_numpy()
    ended_s = np.fmax(tasks["ended_s"].fill_null(np.nan).to_numpy(), submitted_s)
    rows = memory.rows
    at_s = np.where(memory.kinds == 0, submitted_s[rows], ended_s[rows])
    sizer.follow(
        memory.features, memory.estimate.value[:, None], memory.kinds, rows, memory.outcome,
        (tasks["ended_s"] - tasks["started_s"]).fill_null(np.nan).to_numpy(),
        pauses=[int(np.searchsorted(at_s, start_s))],
        paused=lambda _: early.append(RightSizer.load(sizer.save())),
    )  # fmt: skip
    return sizer, early[0]
