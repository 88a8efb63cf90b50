"""Training of clusters that send tasks to each other, on a history of each.

Only the first SHARE of the time of each history teaches, the last fifth of that part chooses among
weights. Training starts at the routing and rule with a term of age that are best there if every
task that waits goes where it would start at once. On the rest the policy is held against the static
routing and local rule, without such offers, that were best on the part that teaches. The histories
need not be of the same time: spans are shifted to begin together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.routing_network import ROUTINGS
from headway.schedule.routing_policy import KIND, RoutingPolicy, save_routing
from headway.simulate.batch import Course, course_of
from headway.simulate.merged import AGEING, LOCAL_RULES, merged, starts_of
from headway.train.limit import within
from headway.train.multi_agent import train_multi_agent
from headway.train.team import Standard, log_slowdown, ratio, window_of
from headway.training import SHARE, TAUGHT, known_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.history import Progress
    from headway.observe.trace import Trace
    from headway.simulate.merged import Merged
    from headway.training import Known

    Floats = NDArray[np.float64]

DAY_S: Final = 86400.0
SPAN_S: Final = 7 * DAY_S
SPANS: Final = 8  # that the part which chooses has room for at the least, else they are shorter
COMPARED: Final = 24  # windows on which static routings and rules are compared
CHOOSING: Final = 40  # on which weights are
JUDGING: Final = 40  # on which the policy is proved at the most
DECISIONS: Final = 10_000_000
RESAMPLES: Final = 10_000


def train_clusters(
    traces: Sequence[Trace],
    out: Path,
    *,
    clock: Callable[[], float],
    minutes: float = 0.0,
    decisions: int = 0,
    seed: int = 0,
    resume: bool = False,
    progress: Progress,
) -> dict[str, Any]:
    """Learn from a history of each cluster, write the policy to `out`; the document of the command.

    Stops after `decisions` (0 = DECISIONS) or `minutes` (0 = no limit) of training; the same seed
    and decisions give the same weights. With resume, goes on from where an earlier run with the
    same `out` stopped.
    """
    if len(traces) < 2:
        raise ConfigError(f"{KIND} needs a history of each of two clusters or more, got one file")
    if minutes < 0.0 or decisions < 0:
        raise ConfigError(f"minutes and decisions must be positive, got {minutes}, {decisions}")
    histories = [known_of(trace, progress) for trace in traces]
    courses, span_s = courses_of(histories)
    taught, chosen, later = (part_of(courses, *share, span_s) for share in parts())
    compared = drawn(taught, span_s, COMPARED, 0)
    standard = best_standard(compared, progress)
    start = best_standard(compared, progress, AGEING, offers=True)
    validation = [window_of(part, start) for part in drawn(chosen, span_s, CHOOSING, 1)]
    journal = out.with_name(f"{out.name}.{KIND}.npz")
    if not resume:
        journal.unlink(missing_ok=True)
    began = clock()
    found = train_multi_agent(
        taught, validation, span_s, start, decisions=decisions or DECISIONS, seed=seed,
        resume=journal, progress=within(minutes, clock, progress),
    )  # fmt: skip
    seconds = clock() - began
    said = {
        "against": f"{start.routing}, {start.rule}, every offer made",
        "ratio": ratio(found.weights, validation, start.rule),
        "of": "the mean slowdown of the team", "windows": len(validation), "curve": found.curve,
    }  # fmt: skip
    policy = RoutingPolicy(
        weights=found.weights, rule=start.rule, routing=start.routing, seed=seed,
        decisions=found.decisions, trained_on=", ".join(known.name for known in histories),
        validation=said,
    )  # fmt: skip
    save_routing(policy, out)
    proof = proof_of(policy, drawn(later, span_s, JUDGING, 2), standard)
    return {
        "algo": KIND, "decisions": found.decisions, "seconds": seconds, "validation": said,
        "proof": proof, "policy": str(out),
    }  # fmt: skip


def parts() -> tuple[tuple[float, float], ...]:
    """The parts of the time of a history, in shares: that teaches, that chooses, that judges."""
    return (0.0, SHARE * TAUGHT), (SHARE * TAUGHT, SHARE), (SHARE, 1.0)


def courses_of(histories: Sequence[Known]) -> tuple[list[Course], float]:
    """A course of each history, and how long a span is (s)."""
    courses = [
        course_of(known.workload, known.value_s, known.upper_s, np.zeros(1, np.int64))
        for known in histories
    ]
    shortest = min(float(np.ptp(course.jobs.submit_s)) for course in courses)
    return courses, min(SPAN_S, shortest * SHARE * (1.0 - TAUGHT) / SPANS)


def part_of(courses: Sequence[Course], low: float, high: float, span_s: float) -> list[Course]:
    """The courses with the first tasks of the spans that lie in a part of their time."""
    found = []
    for course in courses:
        first_s, last_s = course.jobs.submit_s[[0, -1]]
        from_s, until_s = first_s + np.array([low, high]) * (last_s - first_s)
        found.append(replace(course, windows=starts_of(course, from_s, until_s, span_s)))
    return found


def drawn(courses: Sequence[Course], span_s: float, many: int, seed: int) -> list[Merged]:
    """Spans of all courses together, those of each spread evenly over its part.

    A course that is too short for so many is gone through again; its spans do not overlap, and
    meet others of the other courses. seed: in which order they meet.
    """
    rng = np.random.default_rng(seed)
    firsts = []
    for course in courses:
        submit_s = course.jobs.submit_s[course.windows]
        room = int((submit_s[-1] - submit_s[0]) // span_s) + 1
        spans = min(room, many)
        at_s = np.linspace(submit_s[0], submit_s[-1], spans)
        those = course.windows[np.minimum(np.searchsorted(submit_s, at_s), len(submit_s) - 1)]
        order = np.concatenate([rng.permutation(spans) for _ in range(-(-many // spans))])
        firsts.append(those[order[:many]])
    return [merged(courses, list(these), span_s) for these in zip(*firsts, strict=True)]


def best_standard(
    windows: Sequence[Merged],
    progress: Progress,
    rules: Sequence[str] = LOCAL_RULES,
    *,
    offers: bool = False,
) -> Standard:
    """The static routing and local rule with the lowest slowdown, geometric mean over windows.

    offers: of those where every task that waits goes to where it would start at once.
    """
    found = {}
    for i, routing in enumerate(ROUTINGS):
        progress("Comparing static routings", i / len(ROUTINGS))
        for rule in rules:
            standard = Standard(routing, rule, offers)
            found[standard] = np.mean([window_of(part, standard).usual for part in windows])
    return min(found, key=lambda standard: found[standard])


def proof_of(
    policy: RoutingPolicy, windows: Sequence[Merged], standard: Standard
) -> dict[str, Any]:
    """A policy against the standard on windows that neither was chosen on.

    ratio: geometric mean over windows of the mean slowdown of the team over the standard's, with a
    95 % interval over windows (bootstrap of pairs).
    """
    usual = np.array([window_of(part, standard).usual for part in windows])
    mine = np.array([log_slowdown(part, policy.weights, policy.rule) for part in windows])
    low, high = interval(mine - usual)
    return {
        "rule": f"{standard.routing}, {standard.rule}",
        "windows": len(windows),
        "candidate": float(np.exp(mine).mean()),
        "incumbent": float(np.exp(usual).mean()),
        "ratio": float(np.exp((mine - usual).mean())),
        "ratio_low_95": low,
        "ratio_high_95": high,
        "worst_window": float(np.exp((mine - usual).max())),
        "is_proved": high < 1.0,
    }


def interval(logs: Floats) -> tuple[float, float]:
    """95 % interval of the geometric mean of ratios, of their logarithms (n,)."""
    picks = np.random.default_rng(0).integers(0, len(logs), (RESAMPLES, len(logs)))
    low, high = np.exp(np.quantile(logs[picks].mean(axis=1), [0.025, 0.975]))
    return float(low), float(high)
