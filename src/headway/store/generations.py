"""Which training is in use, as one pointer over all of its models: a numbered list of switches.

A switch is written down before the pointers of the models are moved and marked when all are, so a
crash between them is finished by `settle`. Readers that see pointers of two trainings keep the one
they have (see serve.advisor), so a switch is seen whole or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from headway.errors import StoreError
from headway.store.models import ModelStore
from headway.store.parts import sync
from headway.store.refusals import plainly

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = ".generations"

Parts = tuple[tuple[str, str], ...]  # name and version of each model


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One switch: to which models, from which, by whom, why; is_done: all pointers are moved."""

    number: int
    parts: Parts
    before: Parts
    by: str
    why: str
    at_s: float
    is_done: bool


def generations(home: str | Path) -> tuple[Generation, ...]:
    """Every switch, oldest first."""
    folder = Path(home) / "models" / FOLDER
    with plainly(f"read {folder}"):
        return tuple(_read(path) for path in sorted(folder.glob("[0-9]*.json")))


def pointers(store: ModelStore, names: tuple[str, ...]) -> Parts:
    """The current version of each of these models that there is."""
    return tuple((name, store.current(name)) for name in names if store.versions(name))


def switch(
    home: str | Path, parts: Parts, before: Parts, *, by: str, why: str, at_s: float
) -> Generation:
    """Make these versions current, all of them; StoreError where one is not what was published.

    before: what is current now; where that has changed meanwhile, nothing is done (StoreError).
    """
    store = ModelStore(home)
    for name, version in parts:
        store.load(name, version)  # proves its digests
    with _alone(home) as folder:
        _settled(store, folder)
        now = pointers(store, tuple(name for name, _ in before))
        if now != before:
            raise StoreError(f"other models became current meanwhile: {_words(now)}; look again")
        known = sorted(folder.glob("[0-9]*.json"))
        made = Generation(
            number=int(known[-1].stem) + 1 if known else 1, parts=parts, before=before, by=by,
            why=why, at_s=at_s, is_done=False,
        )  # fmt: skip
        _write(folder, made)
        return _carried_out(store, folder, made)


def settle(home: str | Path) -> None:
    """Finish a switch that a crash cut off."""
    known = generations(home)
    if known and not known[-1].is_done:
        with _alone(home) as folder:
            _settled(ModelStore(home), folder)


def _settled(store: ModelStore, folder: Path) -> None:
    paths = sorted(folder.glob("[0-9]*.json"))
    last = _read(paths[-1]) if paths else None
    if last is None or last.is_done:
        return
    expected = {*last.parts, *last.before}
    now = pointers(store, tuple(name for name, _ in last.parts))
    if expected.issuperset(now):
        _carried_out(store, folder, last)
    else:  # something newer was published meanwhile: that stays
        _write(folder, replace(last, is_done=True))


def _carried_out(store: ModelStore, folder: Path, made: Generation) -> Generation:
    for name, version in made.parts:
        store.use(name, version)
    done = replace(made, is_done=True)
    _write(folder, done)
    return done


@contextmanager
def _alone(home: str | Path) -> Iterator[Path]:
    """The folder of switches, for one process at a time."""
    folder = Path(home) / "models" / FOLDER
    with plainly(f"change the current models in {home}"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(lock)


def _write(folder: Path, made: Generation) -> None:
    draft = folder / f".draft-{uuid4().hex}"
    draft.write_text(json.dumps(asdict(made), indent=1))
    sync(draft)
    draft.replace(folder / f"{made.number:06d}.json")
    sync(folder)


def _read(path: Path) -> Generation:
    try:
        said = json.loads(path.read_text())
        for name in ("parts", "before"):
            said[name] = tuple((model, version) for model, version in said[name])
        return Generation(**said)
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged: remove it") from error


def _words(parts: Parts) -> str:
    return ", ".join(f"{name} {version}" for name, version in parts)
