"""A training as one folder that MLflow loads: `mlflow.pyfunc.load_model(..).predict(tasks)`.

The folder is a home with the models of one training alone, so what answers is the very code that
serves. No pickle: MLflow is told this module's name (its `loader_module`).
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.errors import InputError
from headway.records import Task
from headway.serve.advisor import Advisor

if TYPE_CHECKING:
    from headway.store.generations import Parts

FOREVER_S: Final = 1e18  # who loads a version by name wants it however old it is
COLUMNS: Final = (
    "cluster", "id", "attempt", "user", "group", "project", "workflow", "name", "tag", "queue",
    "container", "submitted_s", "cpus_requested", "nodes", "gpus", "limit_s",
    "memory_requested_bytes", "input_bytes",
)  # fmt: skip
"""Of a table of tasks, in the names and units of `records.Task`; each may be missing or null."""
_WHOLE: Final = ("attempt", "nodes", "memory_requested_bytes", "input_bytes")
_WORDS: Final = COLUMNS[:11]


def write_bundle(home: Path, parts: Parts, folder: Path) -> None:
    """Copy the models of one training into a folder, as the current ones of a home."""
    for name, version in parts:
        place = folder / "models" / name
        place.mkdir(parents=True)
        shutil.copytree(home / "models" / name / version, place / version)
        (place / "current").write_text(f"{version}\n")


class Bundle:
    """Answers for a table of tasks; what MLflow calls."""

    def __init__(self, folder: Path) -> None:
        self._advisor = Advisor(folder, stale_s=FOREVER_S)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """A table with memory_bytes, runtime_s, made_by, refused and version of each task.

        model_input: a pandas DataFrame with columns of COLUMNS. params: at_s, the moment that is
        asked about (UTC epoch seconds); default now.
        """
        import pandas as pd

        unknown = [str(name) for name in model_input.columns if name not in COLUMNS]
        if unknown:
            raise InputError(
                f"unknown columns {', '.join(unknown)}; there are {', '.join(COLUMNS)}"
            )
        at_s = float((params or {}).get("at_s") or time.time())
        rows = []
        for row in model_input.to_dict("records"):
            answer = self._advisor.advise(
                _task({k: row[k] for k in row if pd.notna(row[k])}, at_s), at_s
            )
            rows.append({
                "memory_bytes": answer.memory_bytes, "runtime_s": answer.runtime_s.value,
                "made_by": answer.made_by, "refused": answer.refused, "version": answer.version,
            })  # fmt: skip
        names = ("memory_bytes", "runtime_s", "made_by", "refused", "version")
        return pd.DataFrame(rows, columns=list(names), index=model_input.index)


def _load_pyfunc(path: str) -> Bundle:
    """What `mlflow.pyfunc.load_model` looks for in a loader module."""
    return Bundle(Path(path))


def _task(row: dict[str, Any], at_s: float) -> Task:
    """A task of the columns that are known."""
    fields: dict[str, Any] = {"cluster": "", "id": "", "submitted_s": at_s, "state": "pending"}
    for name, value in row.items():
        kind: Any = str if name in _WORDS and name != "attempt" else float
        fields[name] = int(value) if name in _WHOLE else kind(value)
    return Task(**fields)
