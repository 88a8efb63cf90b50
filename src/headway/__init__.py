"""Headway learns from the history of batch tasks and steers the next ones."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_DOOR = {
    "Engine": "headway.engine",
    "Executor": "headway.executor",
    "History": "headway.features",
    "DeltaStore": "headway.store",
    "MemoryStore": "headway.store",
    "ModelStore": "headway.store",
    "Task": "headway.records",
    "connect": "headway.serve",
    "replay": "headway.verify.replay",
    "HeadwayError": "headway.errors",
}
__all__ = [
    "DeltaStore",
    "Engine",
    "Executor",
    "HeadwayError",
    "History",
    "MemoryStore",
    "ModelStore",
    "Task",
    "__version__",
    "connect",
    "replay",
]


def __getattr__(name: str) -> Any:
    """Import a name of the door when it is first asked for: `import headway` stays light."""
    if name not in _DOOR:
        raise AttributeError(f"module 'headway' has no attribute {name!r}")
    return getattr(import_module(_DOOR[name]), name)
