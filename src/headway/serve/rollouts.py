"""The rollouts of a home, on the disk: what was decided of each, by whom, and since when.

The journal below `<home>/rollouts` is the truth: each record is one rollout as it was from then on,
so a crash leaves the state before or the state after, never one between. Promoting makes the
challenger's models current after it was written down; `settle` finishes what a crash cut off.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError, StoreError
from headway.rollout import Plan, Rollout, begin, pause, promote, resume, roll_back
from headway.serve.advisor import NAMES
from headway.store.journal import Journal, records_of
from headway.store.models import ModelStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER: Final = "rollouts"
MODEL: Final = "home"  # all models of one training go together
VERBS: Final = ("promote", "pause", "resume", "rollback")
PATIENCE_S: Final = 5.0  # that another process may take to write a change


def read_rollouts(home: str | Path) -> tuple[Rollout, ...]:
    """Every rollout as it is now, oldest first; also while one is changed."""
    latest = {change["rollout_id"]: change for change in read_changes(home)}
    return tuple(_rollout(change) for change in latest.values())


def read_changes(home: str | Path) -> Iterator[dict[str, Any]]:
    """What each rollout became, when (at_s) and by whose word (by), in order."""
    for segment in sorted((Path(home) / FOLDER).glob("[0-9]*.log")):
        for record in records_of(segment):
            yield json.loads(record)


def start(
    home: str | Path,
    challenger: str = "",
    *,
    champion: str = "",
    plan: Plan | None = None,
    by: str = "",
    now_s: float | None = None,
) -> Rollout:
    """Begin to roll out a training of a home, named by the version of its history: in shadow first.

    challenger '': the newest; champion '': the current one, which another one that is named here
    becomes. ConfigError where a version is unknown, both are the same, or it is under way already.
    """
    now_s = time.time() if now_s is None else now_s
    store = _store(home)
    versions = store.versions("history")
    current = store.current("history")
    champion, challenger = champion or current, challenger or versions[-1]
    training_of(store, challenger)
    parts = training_of(store, champion)
    with _writing(home) as journal:
        known = read_rollouts(home)
        under_way = [r for r in known if r.is_open]
        if any(r.challenger == challenger for r in under_way):
            raise ConfigError(f"{challenger} is rolled out already: see headway rollout status")
        if champion != current and under_way:
            raise ConfigError(f"{current} is in use by a rollout that is under way: end that first")
        rollout_id = f"r{len(known) + 1:06d}"
        begun = begin(rollout_id, MODEL, champion, challenger, plan or Plan(), now_s)
        if champion != current:
            for name, version in parts:
                store.use(name, version)
        _keep(journal, begun, by, now_s)
    return begun


def change(
    home: str | Path, rollout_id: str, make: Callable[[Rollout], Rollout], *, by: str, now_s: float
) -> Rollout:
    """The rollout after make was applied to what it is now; promoted ones are put in place.

    ConfigError where there is none of that id; what make raises leaves all as it was.
    """
    with _writing(home) as journal:
        before = find(home, rollout_id)
        after = make(before)
        if after != before:
            _keep(journal, after, by, now_s)
            after = _settled(home, journal, after, now_s)
        return after


def decide(
    home: str | Path, rollout_id: str, verb: str, *, why: str, by: str, now_s: float
) -> Rollout:
    """What a person decides of a rollout (one of VERBS); ConfigError where it has ended."""
    why = why or f"{verb} by {by or 'someone'}"

    def make(rollout: Rollout) -> Rollout:
        if verb == "promote":
            return promote(rollout, why, now_s)
        if verb == "pause":
            return pause(rollout, why)
        if verb == "resume":
            return resume(rollout, why, now_s)
        return roll_back(rollout, why, now_s)

    return change(home, rollout_id, make, by=by, now_s=now_s)


def settle(home: str | Path, now_s: float) -> None:
    """Finish promotions that were written down and not carried out."""
    if all(r.status != "promoted" or r.is_in_place for r in read_rollouts(home)):
        return
    with _writing(home) as journal:
        for rollout in read_rollouts(home):
            _settled(home, journal, rollout, now_s)


def find(home: str | Path, rollout_id: str = "") -> Rollout:
    """One rollout; '' = the newest. ConfigError where there is none."""
    found = [r for r in read_rollouts(home) if rollout_id in ("", r.rollout_id)]
    if not found:
        what = f"rollout {rollout_id!r}" if rollout_id else "rollout"
        raise ConfigError(f"there is no {what} in {home}: headway rollout start begins one")
    return found[-1]


def training_of(store: ModelStore, history_version: str) -> tuple[tuple[str, str], ...]:
    """Name and version of the models that were trained together with a version of the history."""
    if history_version not in store.versions("history"):
        known = ", ".join(store.versions("history")[-5:]) or "none"
        raise ConfigError(f"there is no training {history_version!r}; the newest are {known}")
    created_s = store.load("history", history_version).meta.created_s
    found = [("history", history_version)]
    for name in NAMES[1:]:
        for version in reversed(store.versions(name)):
            if store.load(name, version).meta.created_s == created_s:
                found.append((name, version))
                break
    return tuple(found)


def _settled(home: str | Path, journal: Journal, rollout: Rollout, now_s: float) -> Rollout:
    """Make the challenger of a promoted rollout current, unless something newer has become so."""
    if rollout.status != "promoted" or rollout.is_in_place:
        return rollout
    store = _store(home)
    wanted = dict(training_of(store, rollout.challenger))
    before = dict(training_of(store, rollout.champion))
    current = {name: store.current(name) for name in NAMES if store.versions(name)}
    if all(v in (wanted.get(name), before.get(name)) for name, v in current.items()):
        for name, version in wanted.items():
            store.use(name, version)
    done = replace(rollout, is_in_place=True)
    _keep(journal, done, "headway", now_s)
    return done


def _store(home: str | Path) -> ModelStore:
    store = ModelStore(home)
    if not Path(home).is_dir() or not store.versions("history"):
        raise ConfigError(f"there are no trained models in {home}: run headway optimize --home")
    return store


@contextmanager
def _writing(home: str | Path) -> Iterator[Journal]:
    """The journal, for one change; waits for another process that changes something."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            journal = Journal(Path(home) / FOLDER)
            break
        except StoreError as error:
            if "another process" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
    try:
        yield journal
    finally:
        journal.close()


def _keep(journal: Journal, rollout: Rollout, by: str, now_s: float) -> None:
    said = asdict(rollout) | {"at_s": now_s, "by": by}
    journal.append([json.dumps(said).encode()])


def _rollout(said: dict[str, Any]) -> Rollout:
    fields = {name: said[name] for name in Rollout.__slots__ if name in said}
    plan = dict(said["plan"])
    plan["shares"] = tuple(plan["shares"])
    plan["margins"] = tuple((name, margin) for name, margin in plan["margins"])
    return Rollout(**fields | {"plan": Plan(**plan)})
