"""Whether the features that were served are those that the logs make again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import HeadwayError
from headway.serve.advisor import Advisor
from headway.serve.decisions import features_of, read_records
from headway.serve.learned import FOLDER, task_of, teach
from headway.store.journal import read_on

if TYPE_CHECKING:
    from pathlib import Path

MOST: Final = 10_000


def skew(home: Path, most: int = MOST) -> dict[str, Any]:
    """How many of the newest decisions were checked and how many have other features.

    The models of each version learn again, from their training and the journal, what they had
    learned when they answered, and describe the task anew. not_checked: of versions that are gone.
    """
    decided = [r for r in read_records(home) if r["kind"] == "decision" and r.get("features")
               and "task" in r][-most:]  # fmt: skip
    learning, plain = (Advisor(home, is_learning=is_learning) for is_learning in (True, False))
    found: dict[str, Any] = {"checked": 0, "different": 0, "not_checked": 0, "examples": []}
    for version, is_learning in sorted({(r["version"], r["learned"] >= 0) for r in decided}):
        mine = [r for r in decided
                if r["version"] == version and (r["learned"] >= 0) == is_learning]  # fmt: skip
        mine.sort(key=lambda r: r["learned"])
        advisor = learning if is_learning else plain
        parts = tuple((a, b) for a, b in (one.split(" ") for one in version.split(", ")))
        try:
            models = advisor.load(parts)
        except HeadwayError:
            found["not_checked"] += len(mine)
            continue
        entries = (entry for entry, _ in read_on(sorted((home / FOLDER).glob("[0-9]*.log")), {}))
        for record in mine:
            while models.taught.number < record["learned"]:
                teach(models, json.loads(next(entries)))
            if models.history is None:
                continue
            again = models.history.look(task_of(record["task"]), record["at_s"]).values[0]
            served = np.frombuffer(features_of(record))
            found["checked"] += 1
            if not np.array_equal(again, served, equal_nan=True):
                found["different"] += 1
                found["examples"] = (found["examples"] + [record["decision_id"]])[:3]
    return found
