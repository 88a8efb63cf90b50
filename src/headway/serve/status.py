"""What a home serves by and what became of it, as documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headway.errors import ConfigError
from headway.serve.advisor import NAMES
from headway.serve.folding import all_records
from headway.serve.tally import EXPIRES_S, tally
from headway.store.models import ModelStore


def decisions_of(home: Path, now_s: float, *, expires_s: float = EXPIRES_S) -> dict[str, Any]:
    """The document of `headway decisions`; ConfigError where there is no home."""
    if not home.is_dir():
        raise ConfigError(f"there is no home {home}: make one with headway optimize --home")
    return tally(all_records(home), now_s, expires_s=expires_s) | {"home": str(home)}


def status_of(home: Path, now_s: float) -> dict[str, Any]:
    """The document of `headway status`; ConfigError where there is no home."""
    counted = decisions_of(home, now_s)
    models = []
    for name in NAMES:
        versions = ModelStore(home).versions(name)
        if versions:
            current = ModelStore(home).load(name)
            models.append({
                "model": name, "version": current.version, "versions": len(versions),
                "created_s": current.meta.created_s, "age_s": now_s - current.meta.created_s,
                "metrics": dict(current.meta.metrics),
            })  # fmt: skip
    counts = {key: value for key, value in counted.items() if key != "home"}
    is_together = len({model["created_s"] for model in models}) <= 1
    return {
        "models": models, "is_one_training": is_together, "decisions": counts, "home": str(home),
    }  # fmt: skip
