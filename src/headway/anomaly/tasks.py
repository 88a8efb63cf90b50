"""What is strange about tasks, nodes, users and workflows, told as it happens."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from headway.anomaly import task_causes as causes
from headway.anomaly.allowance import WEEK_S
from headway.anomaly.expected import Band, Recent, band_of, kind_of, owner_of
from headway.anomaly.failing import FAILED, SUCCEEDED, Failures
from headway.anomaly.incidents import Finding, Incidents
from headway.anomaly.lasting import Run, Running
from headway.anomaly.leaks import FLOOR_BYTES, Leaks
from headway.anomaly.slow_nodes import SlowNodes
from headway.anomaly.stillness import Stillness
from headway.errors import ConfigError

if TYPE_CHECKING:
    from headway.anomaly.lasting import Key
    from headway.records import Alert, Event, Prediction, Sample, Task

KINDS: Final = ("stuck", "still", "oversized", "leak", "slow_node", "failing")
"""What the false alarms are shared by: an overrun counts as stuck, a task that stands still has a
threshold of its own and is raised as stuck. Out of memory is a fact and counts as no false alarm.
"""
LEAST: Final = {"stuck": 1.5, "still": 1.5, "oversized": 1.5, "leak": 1.5}
"""Thresholds that the past cannot lower: half as far again as what is expected."""
STILL: Final = 15.0  # times floor_s that any task may stand still


class TaskWatch:
    """Alerts from events, predictions and readings, in order of time; nothing looks ahead.

    false_alarms_per_week: what the past may have raised in all, shared evenly by the kinds.
    learn_s: how long only is learned; then thresholds are set from what was seen, and stay.
    hold_s: an incident that was quiet for so long is over; a new one may be raised.
    floor_s: seconds beside which a runtime is no matter.
    """

    def __init__(
        self,
        *,
        false_alarms_per_week: float = 1.0,
        learn_s: float = 4 * WEEK_S,
        hold_s: float = 86400.0,
        floor_s: float = 60.0,
    ) -> None:
        if not 0.0 < false_alarms_per_week < math.inf:
            raise ConfigError(f"false_alarms_per_week must be above 0, got {false_alarms_per_week}")
        if not 0.0 < learn_s < math.inf:
            raise ConfigError(f"learn_s must be above 0, got {learn_s}")
        self._floor_s, self._learn_s = floor_s, learn_s
        rate = false_alarms_per_week / len(KINDS)
        # A sum of log-likelihood ratios passes h once in exp(h) steps at most (Lorden 1971): this
        # is for a thousand steps a week.
        nats = math.log(1000.0 / rate)
        least = {kind: LEAST.get(kind, nats) for kind in KINDS}
        rates = dict.fromkeys(KINDS, rate)
        self._incidents = Incidents(rates, least, hold_s, always=("out_of_memory",))
        self._began_s: float | None = None
        self._is_learning = True
        self._believed: dict[Key, dict[str, Band]] = {}
        self._recent = {target: Recent() for target in ("runtime_s", "memory_bytes")}
        self._running = Running(floor_s)
        self._attempts: dict[str, Key] = {}
        self._nodes, self._failures = SlowNodes(), Failures()
        self._leaks, self._stillness = Leaks(), Stillness(STILL * floor_s)

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each kind; infinity while it learns."""
        return dict(self._incidents.thresholds)

    def believe(self, prediction: Prediction) -> None:
        """What was predicted of a task that has not ended; the latest counts."""
        band = band_of(prediction)
        if band is not None:
            key = (prediction.cluster, prediction.id, prediction.attempt)
            self._believed.setdefault(key, {})[prediction.target] = band

    def see(self, event: Event) -> list[Alert]:
        """One event, in order of time; the alerts that are new, have grown or are over."""
        alerts = self.look(event.at_s)
        task = event.task
        if event.kind == "started":
            self._start(task, event.at_s)
        elif event.kind == "ended":
            alerts += self._taken(self._end(task, event.at_s))
        return alerts

    def read(self, sample: Sample) -> list[Alert]:
        """One reading of a running task, whose id is the sample's source.

        memory_bytes, or cpu_share of the processors that it holds; others say nothing.
        """
        key = self._attempts.get(sample.source)
        run = None if key is None else self._running.get(key)
        if run is None:
            return []
        if sample.metric == "memory_bytes" and run.memory is not None:
            return self._taken(self._rises(run, run.memory, sample))
        if sample.metric == "cpu_share":
            return self._taken(self._stands_still(run, sample))
        return []

    def look(self, now_s: float) -> list[Alert]:
        """What only time shows: tasks that have become late, incidents that are over."""
        if self._began_s is None:
            self._began_s = now_s
        if self._is_learning and now_s - self._began_s >= self._learn_s:
            self._is_learning = False
            self._incidents.settle(self._learn_s)
            self._running.set_threshold(self._incidents.thresholds["stuck"])
        late = self._running.late(now_s)
        alerts = self._taken([self._too_long("stuck", run, at_s) for at_s, run in late])
        return alerts + self._closed(now_s)

    def _rises(self, run: Run, memory: Band, sample: Sample) -> list[Finding]:
        expected_s = run.band.middle if run.band is not None else run.task.limit_s or 0.0
        leak = self._leaks.read(
            sample.source, sample.at_s, sample.value, memory, run.started_s,
            run.started_s + expected_s,
        )  # fmt: skip
        if leak is None:
            return []
        return [
            self._of_task(
                run.task, "leak", sample.at_s, since_s=leak.since_s, score=leak.score,
                value=sample.value, low=memory.low, high=memory.high,
                causes=causes.of_leak(leak, run.task), advice="end it; retry it once elsewhere",
            )
        ]  # fmt: skip

    def _stands_still(self, run: Run, sample: Sample) -> list[Finding]:
        still = self._stillness.read(
            sample.source, kind_of(run.task), sample.at_s, sample.value, run.started_s
        )
        if still is None:
            return []
        times, since_s, most_s = still
        usual = f"those of its kind were for {most_s / 60.0:.0f} minutes at most"
        return [
            self._of_task(
                run.task, "stuck", sample.at_s, shares="still", since_s=since_s, score=times,
                value=sample.at_s - since_s, low=0.0, high=most_s,
                causes=(f"it waits for what does not come: its processors stand still, {usual}",),
                advice="requeue it elsewhere",
            )
        ]  # fmt: skip

    def _of_task(self, task: Task, kind: str, at_s: float, **told: Any) -> Finding:
        """A finding about a task; those of one owner are one incident."""
        about, owner = owner_of(task)
        return Finding(
            kind=kind, about="task", subject=task.id, incident=f"{about} {owner}",
            cluster=task.cluster, at_s=at_s, **told,
        )  # fmt: skip

    def _start(self, task: Task, at_s: float) -> None:
        key, kind = (task.cluster, task.id, task.attempt), kind_of(task)
        started_s = at_s if task.started_s is None else task.started_s
        believed = self._believed.pop(key, {})
        bands = {
            target: believed.get(target) or recent.band(kind)
            for target, recent in self._recent.items()
        }
        run = Run(task, bands["runtime_s"], started_s, bands["memory_bytes"])
        self._running.start(key, run)
        self._attempts[task.id] = key

    def _end(self, task: Task, at_s: float) -> list[Finding]:
        key = (task.cluster, task.id, task.attempt)
        if self._running.get(key) is None:
            self._start(task, at_s)
        run = self._running.end(key)
        assert run is not None  # it was just started
        self._attempts.pop(task.id, None)
        self._leaks.forget(task.id)
        is_good = task.state in SUCCEEDED
        self._stillness.end(task.id, kind_of(task), at_s, is_good=is_good)
        run.task = task
        return [*self._ran(run, at_s), *self._used(run, at_s), *self._ended(run, at_s)]

    def _ran(self, run: Run, at_s: float) -> list[Finding]:
        """How long a task ran: too long, or longer than elsewhere."""
        task, kind = run.task, kind_of(run.task)
        runtime_s = max(at_s - run.started_s, 0.0)
        found = []
        if run.band is not None and not run.is_told:
            found = [self._too_long("overrun", run, at_s)]
        if task.state in SUCCEEDED:
            self._recent["runtime_s"].learn(kind, runtime_s)
        elif task.state != "timeout":  # one that was killed at its limit ran at least so long
            return found
        for node, nats, since_s, times in self._nodes.learn(task, kind, runtime_s, self._floor_s):
            found.append(
                Finding(
                    kind="slow_node", about="node", subject=node, incident=node,
                    cluster=task.cluster, at_s=at_s, since_s=since_s, score=nats, value=times,
                    low=1.0, high=1.0, causes=causes.of_slow_node(times),
                    advice="drain it; see whether its processors or disks are throttled",
                )
            )  # fmt: skip
        return found

    def _used(self, run: Run, at_s: float) -> list[Finding]:
        """How much memory a task took."""
        task, band, peak = run.task, run.memory, run.task.memory_peak_bytes
        if peak is None:
            return []
        if task.state in SUCCEEDED:
            self._recent["memory_bytes"].learn(kind_of(task), float(peak))
        told = {
            "since_s": run.started_s, "value": float(peak), "causes": causes.of_size(task),
            "low": band and band.low, "high": band and band.high,
        }  # fmt: skip
        if task.state == "out_of_memory":
            more = "retry it with more memory"
            found = self._of_task(task, "out_of_memory", at_s, score=1.0, advice=more, **told)
            # attempts are incidents of their own: a second kill of the same task is news
            return [replace(found, incident=f"{found.incident}, attempt {task.attempt}")]
        if band is None:
            return []
        score = band.strangeness(float(peak), FLOOR_BYTES)
        less = "size the next ones by what this one took"
        return [self._of_task(task, "oversized", at_s, score=score, advice=less, **told)]

    def _ended(self, run: Run, at_s: float) -> list[Finding]:
        """Whether a task failed, and what that says of its owner."""
        task = run.task
        if task.state not in FAILED + SUCCEEDED:
            return []
        about, owner = owner_of(task)
        has_failed = task.state in FAILED
        told = self._failures.learn((about, owner), task.id, at_s, has_failed=has_failed)
        if told is None:
            return []
        return [
            Finding(
                kind="failing", about=about, subject=owner, incident=f"{about} {owner}",
                cluster=task.cluster, at_s=at_s, since_s=told.since_s, score=told.evidence,
                value=told.now, low=0.0, high=told.usual, causes=causes.of_failing(task),
                advice="hold what it has queued until somebody has looked",
            )
        ]  # fmt: skip

    def _too_long(self, kind: str, run: Run, at_s: float) -> Finding:
        task, band = run.task, run.band
        assert band is not None  # only tasks of which something was expected are late
        ran_s = max(at_s - run.started_s, 0.0)
        return self._of_task(
            task, kind, at_s, shares="stuck", since_s=run.started_s + band.high, value=ran_s,
            score=band.strangeness(ran_s, self._floor_s), low=band.low, high=band.high,
            causes=causes.of_lateness(task, band, self._nodes),
            advice="requeue it elsewhere" if kind == "stuck" else "look what was different",
        )  # fmt: skip

    def _taken(self, findings: list[Finding]) -> list[Alert]:
        return [alert for f in findings if (alert := self._incidents.take(f)) is not None]

    def _closed(self, now_s: float) -> list[Alert]:
        over = self._incidents.close(now_s)
        for alert in over:
            if alert.kind == "failing":
                self._failures.settle((alert.about, alert.subject))
        return over
