"""What the trained models of a home say of one task: how long it runs, what memory to give it."""

from __future__ import annotations

import logging
import math
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError, StoreError
from headway.features import History
from headway.features.history import VERSION
from headway.predict import Conformal, load
from headway.predict.one_row import tell
from headway.predict.sizing import RightSizer
from headway.predict.sizing.one_row import give
from headway.serve.learned import Taught
from headway.store.generations import settle
from headway.store.models import ModelStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.predict.one_row import Told
    from headway.predict.risk import Risk
    from headway.protocols import Features
    from headway.records import Estimate, Task
    from headway.store.models import Model

log = logging.getLogger(__name__)

NAMES: Final = ("history", "runtime", "memory", "sizing")
"""The models of a home that an answer is made of, trained together by `headway optimize`."""
STALE_S: Final = 30 * 86400.0
"""Age of models from which nothing is believed of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One number that is believed: its value, its quantiles at levels, and who says so.

    Where it is refused, value is None and quantiles are empty.
    """

    value: float | None
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    made_by: str
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How to run one task, as of a moment.

    memory_bytes is what to give it: by the sizer, else what was asked for, else None; made_by says
    which. refused: why no model sized it ('' = one did). version: of the models, staleness_s: their
    age. features (d,) as they were served, none where there is no history.
    """

    at_s: float
    runtime_s: Said
    peak_bytes: Said
    memory_bytes: int | None
    made_by: str
    refused: str
    version: str
    staleness_s: float
    feature_names: tuple[str, ...]
    features: array[float] = field(hash=False)
    features_version: str
    decision_id: str = ""
    arm: str = ""  # of a rollout; '' = there is none
    propensity: float = 1.0
    learned: int = -1  # entries of the journal of outcomes that the models had taken; -1: none do
    rollouts: tuple[tuple[str, int, bool, str], ...] = ()
    """Of each rollout that split this task: id, stage, whether to the challenger, and the key."""
    shadow: tuple[dict[str, Any], ...] = ()  # what challengers would have said


@dataclass(frozen=True, slots=True)
class Models:
    """The parts of one training; what is missing is None."""

    versions: tuple[tuple[str, str], ...]  # name, version; of all that are in use
    created_s: float
    history: History | None
    runtime: Conformal | Risk | None
    memory: Conformal | Risk | None
    sizer: RightSizer | None
    taught: Taught = field(default_factory=Taught)  # what outcomes have taught them since

    @property
    def version(self) -> str:
        """The versions that are in use, in words: 'history v000001, runtime v000001'."""
        return _in_words(self.versions)


class Advisor:
    """Asks the current models of a home; belongs to one thread at a time.

    stale_s: age of the models from which a task gets what it asked for. is_learning: a Learner
    teaches these models. ConfigError where there is no home.
    """

    def __init__(
        self, home: str | Path, *, stale_s: float = STALE_S, is_learning: bool = False
    ) -> None:
        if not Path(home).is_dir():
            raise ConfigError(f"there is no home {home}: make one with headway optimize --home")
        if not stale_s > 0.0:
            raise ConfigError(f"stale_s must be above 0, got {stale_s}")
        settle(home)
        self._store, self._stale_s = ModelStore(home), stale_s
        self._is_learning = is_learning
        self._seen = self._pointers()
        self.models = self._held(_loaded(self._store, self._seen, is_whole=False))

    def refresh(self) -> bool:
        """Take up other versions that are current by now; whether there were any.

        Versions of two trainings do not go together (the history numbers its words anew each time):
        while one is being published, or is rolled back in part, the whole one before stays in use;
        the StoreError that says so comes once.
        """
        pointers = self._pointers()
        if pointers == self._seen:
            return False
        self._seen = pointers
        self.models = self._held(_loaded(self._store, pointers, is_whole=True))
        return True

    def load(self, versions: tuple[tuple[str, str], ...]) -> Models:
        """The models of a training (name, version), for `advise`; StoreError if not of one."""
        return self._held(_loaded(self._store, versions, is_whole=True))

    def advise(
        self, task: Task, at_s: float, models: Models | None = None, *, decision_id: str = ""
    ) -> Answer:
        """What is believed of a task as of a moment, and what to give it; by the current models."""
        models = models or self.models  # another thread may put others there meanwhile
        age_s = at_s - models.created_s
        reason = self._silence(models, age_s)
        if reason or models.history is None:
            unknown = _unsaid(reason)
            said = _Parts(unknown, unknown, None, "", reason)
            return _answer(task, at_s, said, age_s, models, decision_id)
        x = models.history.look(task, at_s)
        return _answer(task, at_s, _asked(models, x), age_s, models, decision_id, x)

    def estimate_runtimes(self, tasks: Sequence[Task], at_s: float) -> list[float | None]:
        """Seconds that each task is believed to run, as of a moment; None = nothing is believed."""
        models, predictor = self.models, self.models.runtime
        is_silent = bool(self._silence(models, at_s - models.created_s)) or not tasks
        if is_silent or models.history is None or predictor is None:
            return [None] * len(tasks)
        x = models.history.look_at(tasks, at_s)
        believe = predictor.believe if isinstance(predictor, Conformal) else predictor.predict
        estimate = believe(x)  # whose value calibration leaves as it is
        said: list[float | None] = estimate.value.tolist()
        for row in np.flatnonzero(estimate.refused != "").tolist():
            said[row] = None
        return said

    def estimate(
        self, target: str, tasks: Sequence[Task], at_s: float
    ) -> tuple[Estimate | None, str]:
        """What is believed of a target (runtime, memory), a row a task; else None and why not."""
        models = self.models
        predictor = models.runtime if target == "runtime" else models.memory
        reason = self._silence(models, at_s - models.created_s)
        if reason or models.history is None:
            return None, reason
        if predictor is None:
            return None, f"there is no model of {target}"
        return predictor.predict(models.history.look_at(tasks, at_s)), ""

    def _held(self, models: Models) -> Models:
        """The same, whose history learns by outcomes alone where a Learner teaches it."""
        if self._is_learning and models.history is not None:
            models.history.hold()
            models.taught.number = 0
        return models

    def _silence(self, models: Models, age_s: float) -> str:
        """Why no model is asked; '' = they are."""
        if models.history is None:
            return "the home holds no trained models"
        if age_s > self._stale_s:
            return f"the models are {age_s / 86400.0:.1f} days old, more than is believed"
        return ""

    def _pointers(self) -> tuple[tuple[str, str], ...]:
        """Name and version of each model that is current."""
        found = []
        for name in NAMES:
            try:
                found.append((name, self._store.current(name)))
            except StoreError:
                if self._store.versions(name):
                    raise
        return tuple(found)


def _loaded(store: ModelStore, pointers: tuple[tuple[str, str], ...], *, is_whole: bool) -> Models:
    """The models of the training that the current history is of.

    Of models of other trainings is_whole makes a StoreError; else they are left out.
    """
    kept = {name: store.load(name, version) for name, version in pointers}
    created_s = kept["history"].meta.created_s if "history" in kept else 0.0
    others = [name for name, model in kept.items() if model.meta.created_s != created_s]
    if others:
        text = f"{', '.join(others)} of the home is not of the training of the history there"
        if is_whole:
            raise StoreError(f"{text}: finish the training, or roll all models back")
        log.warning("%s, and is not used", text)
    kept = {name: model for name, model in kept.items() if name not in others}
    used = tuple((name, version) for name, version in pointers if name in kept)
    return _parts(kept, used, created_s)


def _parts(
    kept: dict[str, Model], pointers: tuple[tuple[str, str], ...], created_s: float
) -> Models:
    """The parts in memory; StoreError where they were taught other features than these."""
    for name, model in kept.items():
        if model.meta.features_version not in ("", VERSION):
            raise StoreError(
                f"model {name!r} was taught features {model.meta.features_version}, these are"
                f" {VERSION}: run headway optimize again"
            )

    def made(name: str, make: Any) -> Any:
        try:
            return make(kept[name].files) if name in kept else None
        except (KeyError, ValueError) as error:
            raise StoreError(f"model {name!r} cannot be read: {error}") from error

    return Models(
        pointers, created_s, made("history", History.load), made("runtime", load),
        made("memory", load), made("sizing", RightSizer.load),
    )  # fmt: skip


class _Parts(NamedTuple):
    """What the models say of one task: see Answer."""

    runtime_s: Said
    peak_bytes: Said
    memory_bytes: int | None
    made_by: str
    refused: str


def _asked(models: Models, x: Features) -> _Parts:
    """What the models say of a task that was described."""
    runtime = _unsaid("there is no model of runtimes")
    if models.runtime is not None:
        runtime = _said(models.runtime, tell(models.runtime, x))
    if models.memory is None or models.sizer is None:
        reason = "there is no model of memory"
        return _Parts(runtime, _unsaid(reason), None, "", reason)
    memory = tell(models.memory, x)
    peak = _said(models.memory, memory)
    given, made_by = give(models.sizer, x, memory.value)
    if math.isnan(given):
        reason = "nothing like it has ended and no memory was asked for"
        return _Parts(runtime, peak, None, "", reason)
    return _Parts(runtime, peak, math.ceil(given), made_by, "")


def _said(predictor: Conformal | Risk, told: Told) -> Said:
    """What was told of a task, with the levels that its quantiles are at."""
    return Said(
        value=None if told.refused else told.value, levels=_in_numbers(predictor.levels.tobytes()),
        quantiles=told.quantiles, made_by=told.made_by, refused=told.refused,
    )  # fmt: skip


def _unsaid(reason: str) -> Said:
    return Said(value=None, levels=(), quantiles=(), made_by="", refused=reason)


def _answer(
    task: Task, at_s: float, said: _Parts, age_s: float, models: Models, decision_id: str,
    x: Features | None = None,
) -> Answer:  # fmt: skip
    """An answer; without bytes that a model gave, what the task asked for, and signed so."""
    given, made_by, asked = said.memory_bytes, said.made_by, task.memory_requested_bytes
    if given is None and asked is not None:
        given, made_by = asked, "request"
    return Answer(
        at_s=at_s, runtime_s=said.runtime_s, peak_bytes=said.peak_bytes, memory_bytes=given,
        made_by=made_by, refused=said.refused, version=models.version,
        staleness_s=max(age_s, 0.0),
        feature_names=() if x is None else x.names,
        features=array("d") if x is None else array("d", x.values.tobytes()),
        features_version="" if x is None else x.version,
        decision_id=decision_id,
        learned=models.taught.number,
    )  # fmt: skip


@lru_cache(maxsize=8)
def _in_numbers(levels: bytes) -> tuple[float, ...]:
    """Levels (q,) as plain numbers."""
    return tuple(np.frombuffer(levels).tolist())


@lru_cache(maxsize=8)
def _in_words(versions: tuple[tuple[str, str], ...]) -> str:
    """Versions in words."""
    return ", ".join(f"{name} {version}" for name, version in versions)
