"""The log of everything seen, believed and decided, and the trained models."""

from headway.store.delta import DeltaStore
from headway.store.memory import MemoryStore
from headway.store.models import Model, ModelMeta, ModelStore

__all__ = ["DeltaStore", "MemoryStore", "Model", "ModelMeta", "ModelStore"]
