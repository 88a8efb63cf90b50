"""The trainings of a home: which there are, which is in use; promoted, taken back, thrown away.

The models of one training go together, named by the version of its history.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from headway.errors import ConfigError
from headway.serve.advisor import NAMES
from headway.serve.rollouts import read_rollouts, training_of
from headway.store.generations import Generation, generations, pointers, settle, switch
from headway.store.models import ModelStore

SHOWN: Final = 20  # switches that are told of


def versions_of(home: Path) -> dict[str, Any]:
    """The document of `headway models`, the newest training first."""
    store = _store(home)
    now = dict(pointers(store, NAMES))
    open_ = [r for r in read_rollouts(home) if r.is_open]
    trainings = []
    for version in reversed(store.versions("history")):
        parts = dict(training_of_metas(store, version))
        said = {name: store.meta(name, v) for name, v in parts.items()}
        meta = said["history"][0]
        roles = ["current"] if now.get("history") == version else []
        roles += ["champion"] if any(r.champion == version for r in open_) else []
        roles += ["challenger"] if any(r.challenger == version for r in open_) else []
        trainings.append({
            "version": version, "roles": roles, "created_s": meta.created_s,
            "data_version": meta.data_version, "git_revision": meta.git_revision,
            "features_version": meta.features_version, "models": parts,
            "size_bytes": sum(size for _, size in said.values()),
            "metrics": {f"{name} {key}": value for name, (meta, _) in said.items()
                        for key, value in meta.metrics.items() if name in ("runtime", "memory")},
        })  # fmt: skip
    switches = [asdict(one) | {"parts": dict(one.parts), "before": dict(one.before)}
                for one in reversed(generations(home)[-SHOWN:])]  # fmt: skip
    return {
        "trainings": trainings, "current": now, "is_one_training": _is_whole(store, now),
        "switches": switches, "home": str(home),
    }  # fmt: skip


def promote(home: Path, version: str, *, by: str, why: str, now_s: float) -> Generation:
    """Make all models of a training current; ConfigError while a rollout is under way.

    StoreError where a file of it is not what was published.
    """
    store = _store(home)
    under_way = [r.rollout_id for r in read_rollouts(home) if r.is_open]
    if under_way:
        text = f"rollout {under_way[0]} is under way: headway rollout promote or rollback first"
        raise ConfigError(text)
    if not version:
        raise ConfigError("which training is to be current? headway models lists them")
    parts = training_of_metas(store, version)
    return switch(home, parts, pointers(store, NAMES), by=by, why=why, at_s=now_s)


def roll_back(home: Path, version: str, *, by: str, why: str, now_s: float) -> Generation:
    """Make the training that was in use before current again, or the one that is named.

    Before: what the last switch came from, while what it led to is current; else the newest
    training older than the current one. Also while a rollout is under way, which then waits.
    """
    store = _store(home)
    now = pointers(store, NAMES)
    parts = training_of_metas(store, version or _before(store, generations(home), now))
    return switch(home, parts, now, by=by, why=why, at_s=now_s)


def prune(home: Path, keep: int) -> list[str]:
    """Remove all but the newest trainings; those that went, oldest first.

    The current one, those of rollouts that are under way and the one that a rollback leads to stay
    as well.
    """
    if keep < 1:
        raise ConfigError(f"keep must be at least 1, got {keep}")
    store = _store(home)
    now = pointers(store, NAMES)
    spared = {dict(now)["history"], *store.versions("history")[-keep:]}
    spared |= {v for r in read_rollouts(home) if r.is_open for v in (r.champion, r.challenger)}
    with suppress(ConfigError):  # there may be nothing to go back to
        spared.add(_before(store, generations(home), now))
    gone = [v for v in store.versions("history") if v not in spared]
    for version in gone:
        parts = training_of_metas(store, version)
        for name, one in reversed(parts):  # the history last: it names the training
            if one != store.current(name) and one != store.versions(name)[-1]:
                store.remove(name, one)
    return gone


def training_of_metas(store: ModelStore, version: str) -> tuple[tuple[str, str], ...]:
    """As `training_of`, from what versions say of themselves: nothing large is read."""
    if version not in store.versions("history"):
        return training_of(store, version)  # which says what there is
    created_s = store.meta("history", version)[0].created_s
    found = [("history", version)]
    for name in NAMES[1:]:
        mine = [v for v in store.versions(name) if store.meta(name, v)[0].created_s == created_s]
        found += [(name, mine[-1])] if mine else []
    return tuple(found)


def _before(
    store: ModelStore, known: tuple[Generation, ...], now: tuple[tuple[str, str], ...]
) -> str:
    """The training to go back to; ConfigError where there is none."""
    current = dict(now)["history"]
    if known and dict(known[-1].parts).get("history") == current:
        before = dict(known[-1].before).get("history", "")
        if before != current and before in store.versions("history"):
            return before
    older = [v for v in store.versions("history") if v < current]
    if not older:
        raise ConfigError(f"there is no training before {current} to go back to")
    return older[-1]


def _is_whole(store: ModelStore, now: dict[str, str]) -> bool:
    made = {store.meta(name, version)[0].created_s for name, version in now.items()}
    return len(made) <= 1


def _store(home: Path) -> ModelStore:
    """The models of a home, after what a crash cut off was finished."""
    store = ModelStore(home)
    if not home.is_dir() or not store.versions("history"):
        raise ConfigError(f"there are no trained models in {home}: run headway optimize --home")
    settle(home)
    return store
