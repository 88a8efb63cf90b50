"""Rollouts over HTTP: what they are and say, and what a person decides of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from headway.errors import ConfigError
from headway.rollout import Plan
from headway.serve.evidence import Evidence
from headway.serve.judging import documents, metrics_of, step
from headway.serve.rollouts import VERBS, decide, find, read_rollouts, start

if TYPE_CHECKING:
    from pathlib import Path

    from headway.rollout import Rollout
    from headway.serve.arms import Arms

ROOT: Final = "/v1/rollouts"
Word = Annotated[str, Meta(max_length=256)]
Seconds = Annotated[float, Meta(ge=0.0, le=1e10)]


class StartBody(Struct, forbid_unknown_fields=True):
    """POST /v1/rollouts: what is rolled out, and how; the names and units of rollout.Plan."""

    challenger: Word = ""
    champion: Word = ""
    by: Word = ""
    shares: Annotated[tuple[float, ...], Meta(max_length=100)] | None = None
    dwell_s: Seconds | None = None
    dwell_outcomes: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    budget_s: Seconds | None = None
    silent_s: Seconds | None = None
    alpha: float | None = None
    key: Word | None = None
    metric: Word | None = None
    margins: Annotated[dict[Word, float], Meta(max_length=20)] | None = None

    def plan(self) -> Plan:
        """The plan, with defaults for what is not said."""
        names = ("shares", "dwell_s", "dwell_outcomes", "budget_s", "silent_s", "alpha", "key",
                 "metric")  # fmt: skip
        said = {name: value for name in names if (value := getattr(self, name)) is not None}
        margins = tuple((self.margins or {}).items())
        plan = Plan(**said, margins=margins)
        metrics_of(plan)
        return plan


class ReasonBody(Struct):
    """POST /v1/rollouts/{id}/VERB: why, and who says so; other fields are let pass."""

    why: Word = ""
    by: Word = ""


class Watch:
    """Looks at a home's rollouts and carries out what people decide of them. Threads may share it.

    Both read the disk: for threads beside the answers.
    """

    def __init__(self, home: Path, arms: Arms) -> None:
        self._home, self._arms, self._evidence = home, arms, Evidence(home)
        self._guard = threading.Lock()

    def step(self, now_s: float) -> None:
        """Look at the rollouts that are under way, and act on what is seen."""
        with self._guard:
            if step(self._home, self._evidence, self._arms.broken, now_s):
                self._arms.refresh()

    def answer(
        self, method: str, path: str, body: bytes, now_s: float
    ) -> tuple[int, dict[str, Any]]:
        """Status and document of a request; what it changed is in force when this returns."""
        with self._guard:
            said = answered(self._home, self._evidence, method, path, body, now_s)
            self._arms.refresh()
            return said


def scope_of(path: str, method: str) -> str:
    """Who may ask: changes need `operate`, looks need `observe`."""
    is_look = method == "GET" or path.endswith("/verdict")
    return "observe" if is_look else "operate"


def methods_of(path: str) -> str:
    """The methods that a route takes."""
    parts = [part for part in path.removeprefix(ROOT).split("/") if part]
    if len(parts) > 1:
        return "GET, POST" if parts[1] == "verdict" else "POST"
    return "GET" if parts else "GET, POST"


def answered(
    home: Path, evidence: Evidence, method: str, path: str, body: bytes, now_s: float
) -> tuple[int, dict[str, Any]]:
    """Status and document; ConfigError where there is no such rollout or it cannot be done.

    Reads the disk: for a thread beside the answers, one at a time.
    """
    parts = [part for part in path.removeprefix(ROOT).split("/") if part]
    if not parts:
        if method == "GET":
            return 200, {"rollouts": documents(home, evidence, "", now_s)}
        asked = _decoded(body, StartBody)
        begun = start(home, asked.challenger, champion=asked.champion, plan=asked.plan(),
                      by=asked.by or "http", now_s=now_s)  # fmt: skip
        return 200, _one(home, evidence, begun, now_s)
    if parts[0] not in {rollout.rollout_id for rollout in read_rollouts(home)}:
        return 404, {"error": f"there is no rollout {parts[0]!r}"}
    rollout = find(home, parts[0])
    verb = parts[1] if len(parts) > 1 else ""
    if verb not in ("", "verdict", *VERBS) or len(parts) > 2:
        raise ConfigError(f"there is no {path}; there are {', '.join(('verdict', *VERBS))}")
    if verb in VERBS:
        if method != "POST":
            raise ConfigError(f"{path} takes POST, got {method}")
        asked = _decoded(body, ReasonBody)
        decided = decide(
            home, rollout.rollout_id, verb, why=asked.why, by=asked.by or "http", now_s=now_s
        )
        return 200, _one(home, evidence, decided, now_s)
    said = _one(home, evidence, rollout, now_s)
    if verb == "verdict":
        said.pop("changes")
        is_bad = said["verdict"] == "roll back"
        # A webhook knows its answer by the status alone; whoever gets reads the document.
        return (409 if is_bad and method == "POST" else 200), said
    return 200, said


def _one(home: Path, evidence: Evidence, rollout: Rollout, now_s: float) -> dict[str, Any]:
    return documents(home, evidence, rollout.rollout_id, now_s)[0]


def _decoded(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"the body is not what is taken here: {error}") from error
