"""The log of everything seen, believed and decided, and the trained models."""

from headway.store.delta import DeltaStore
from headway.store.memory import MemoryStore

__all__ = ["DeltaStore", "MemoryStore"]
