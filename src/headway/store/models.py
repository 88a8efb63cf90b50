"""Trained models on disk: numbered versions of native files, one of them current."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from headway.errors import ConfigError, StoreError
from headway.store.parts import sync
from headway.store.refusals import plainly

if TYPE_CHECKING:
    from collections.abc import Mapping

REPAIR = "publish it again or roll the model back"
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMeta:
    """What is known of a version besides its files."""

    created_s: float  # UTC epoch seconds, given by who trained it
    features_version: str = ""
    metrics: Mapping[str, float]
    data_version: str = ""  # of what it was trained on: the same for the same tasks
    git_revision: str = ""  # of the code that trained it


@dataclass(frozen=True, slots=True)
class Model:
    """One version, read back whole and proved to be what was published."""

    name: str
    version: str
    files: Mapping[str, bytes]
    meta: ModelMeta


class ModelStore:
    """Versions below `<home>/models/<name>/`; a reader sees a version whole or not at all.

    Publishing makes a version current unless told not to.
    Several processes may read and publish at once.
    """

    def __init__(self, home: str | Path) -> None:
        self._folder = Path(home) / "models"

    def publish(
        self, name: str, files: Mapping[str, bytes], meta: ModelMeta, *, is_current: bool = True
    ) -> str:
        """Keep files (name -> native bytes) as the next version, make it current, say its name.

        is_current False: it waits until `use` or a rollout makes it current.
        """
        for part in (name, *files):
            _checked(part)
        if not files or "meta.json" in files:
            raise ConfigError("a model needs at least one file, and none may be called meta.json")
        if not all(map(math.isfinite, [meta.created_s, *meta.metrics.values()])):
            raise ConfigError(f"created_s and metrics of {name!r} must be finite numbers")
        place = self._folder / name
        with plainly(f"publish model {name!r} in {place}"):
            place.mkdir(parents=True, exist_ok=True)
            draft = place / f".draft-{uuid4().hex}"
            try:
                draft.mkdir()
                for file, data in files.items():
                    _write(draft / file, data)
                digests = {file: sha256(data).hexdigest() for file, data in files.items()}
                said = {"name": name, **asdict(meta), "files": digests}
                version = self._numbered(place, draft, said)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            if is_current:
                self._point(place, version)
        return version

    def load(self, name: str, version: str = "") -> Model:
        """One version, or the current one; StoreError where a file is not what was published."""
        version = _checked(version) if version else self.current(_checked(name))
        place = self._folder / _checked(name) / version
        with plainly(f"load model {name!r} {version} from {place}"):
            kept, digests = _described(place)
            files = {file: (place / _checked(file)).read_bytes() for file in digests}
        for file, digest in digests.items():
            if sha256(files[file]).hexdigest() != digest:
                raise StoreError(f"{place / file} is damaged: {REPAIR}")
        return Model(name, version, files, kept)

    def meta(self, name: str, version: str) -> tuple[ModelMeta, int]:
        """What is known of a version, and the bytes of its files; they are not proved."""
        place = self._folder / _checked(name) / _checked(version)
        with plainly(f"look at model {name!r} {version} in {place}"):
            kept, digests = _described(place)
            return kept, sum((place / _checked(file)).stat().st_size for file in digests)

    def current(self, name: str) -> str:
        """The version in use; StoreError if there is none."""
        pointer = self._folder / _checked(name) / "current"
        if not pointer.exists():
            raise StoreError(f"there is no model {name!r} in {self._folder}: train one first")
        with plainly(f"read {pointer}"):
            return _checked(pointer.read_text().strip())

    def versions(self, name: str) -> tuple[str, ...]:
        """All versions, oldest first; none for an unknown name."""
        place = self._folder / _checked(name)
        with plainly(f"list {place}"):
            return tuple(sorted(p.name for p in place.glob("v[0-9]*"))) if place.exists() else ()

    def use(self, name: str, version: str) -> None:
        """Make a version current; StoreError where there is none of that name."""
        if version not in self.versions(name):
            raise StoreError(f"model {name!r} has no version {version!r} in {self._folder}")
        with plainly(f"make {version} of model {name!r} current"):
            self._point(self._folder / name, version)

    def rollback(self, name: str) -> str:
        """Make the version before the current one current again and say its name."""
        current = self.current(name)
        before = [version for version in self.versions(name) if version < current]
        if not before:
            raise StoreError(f"model {name!r} has no version before {current} to go back to")
        with plainly(f"roll model {name!r} back"):
            self._point(self._folder / name, before[-1])
        return before[-1]

    def remove(self, name: str, version: str) -> None:
        """Forget a version; ConfigError for the current one, or the newest, whose number would
        be given again.
        """
        known = self.versions(name)
        if version not in known:
            raise StoreError(f"model {name!r} has no version {version!r} in {self._folder}")
        if version in (known[-1], self.current(name)):
            raise ConfigError(f"{version} of model {name!r} is current or the newest: it stays")
        place = self._folder / name
        with plainly(f"remove {version} of model {name!r}"):
            gone = place / f".gone-{uuid4().hex}"
            (place / version).rename(gone)  # a reader finds it whole or not at all
            sync(place)
            shutil.rmtree(gone)

    def _numbered(self, place: Path, draft: Path, said: dict[str, Any]) -> str:
        """Give a draft the next free number; who comes second tries the number after it."""
        while True:
            taken = [int(p.name[1:]) for p in place.glob("v[0-9]*")]
            version = f"v{max(taken, default=0) + 1:06d}"
            text = json.dumps({**said, "version": version}, indent=1, sort_keys=True)
            _write(draft / "meta.json", text.encode())
            sync(draft)
            try:
                os.rename(draft, place / version)  # fails where a version with files is
            except OSError:
                if not (place / version).exists():
                    raise
            else:
                sync(place)
                return version

    def _point(self, place: Path, version: str) -> None:
        draft = place / f".current-{uuid4().hex}"
        _write(draft, f"{version}\n".encode())
        draft.replace(place / "current")
        sync(place)


def _described(place: Path) -> tuple[ModelMeta, dict[str, str]]:
    """What a version says of itself, and the digests of its files."""
    try:
        said = json.loads((place / "meta.json").read_text())
        fields = {key: said[key] for key in ModelMeta.__slots__ if key in said}
        return ModelMeta(**fields), dict(said["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{place / 'meta.json'} is damaged: {REPAIR}") from error


def _checked(part: str) -> str:
    """A name that is safe as that of a file or folder."""
    if not NAME.fullmatch(part):
        raise ConfigError(f"a model, version or file name must match {NAME.pattern}, got {part!r}")
    return part


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    sync(path)
