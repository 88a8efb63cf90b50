"""What a cluster can have more of, and what that costs: rules and one policy at many preferences.

The later part of a history is played from an empty machine under every standard rule and under a
policy that takes preferences. What a schedule is worth is said relative to smallest area first with
predicted runtimes. How far volumes reach, and nothing else, is fixed on the earlier part: up to
the worst rule there.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.objectives import OBJECTIVES, Schedule, measured
from headway.schedule.pareto import hypervolume, is_on_front
from headway.simulate.play import simulate_network
from headway.training import known_of
from headway.verify import recommend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.history import Progress
    from headway.observe.trace import Trace
    from headway.schedule.learned import Learned
    from headway.simulate.workload import Workload
    from headway.training import Known

    Floats = NDArray[np.float64]

USUAL: Final = ("saf", "predicted")
"""The rule and its runtimes that all others are held against."""
AXES: Final = ("wait", "slowdown", "fairness", "deadlines", "utilisation")
"""Objectives that count for the front and for volumes: the others nearly go along with one of
these (tail with wait, energy and cost with utilisation), and would count it twice."""
WEEK_S: Final = 7 * 86400.0
LEAST_TASKS: Final = 50  # of a week that is judged
DOMINANT: Final = 0.6  # share of the objective that a preference names first


def tradeoffs(trace: Trace, learned: Learned, *, progress: Progress) -> dict[str, Any]:
    """The document of `headway tradeoffs`: every point, the front, volumes, and what moves cost.

    `points`: policy, runtimes, prefer (None for a rule), values of all objectives, and whether no
    other point beats it in all of AXES that the policy takes preferences for. ConfigError for a
    policy that takes none, NotEnoughData where users are not known but it weighs them.
    """
    names = learned.objectives
    if not names:
        raise ConfigError("tradeoffs needs a policy that was trained for preferences")
    known = known_of(trace, progress)
    if "fairness" in names and not (known.workload.user >= 0).any():
        raise NotEnoughData(f"{known.name} does not name users: fairness cannot be measured")
    early, late = _ruled(known, 0, progress), _ruled(known, 1, progress)
    part, grid, starts = _part(known, 1), preferences_of(names), []
    for i, prefer in enumerate(grid):
        progress("Playing preferences", i / len(grid))
        starts.append(_start(part, known, learned.preferring(prefer)))
    points = late + [
        {"policy": "learned", "runtimes": "predicted", "prefer": prefer,
         "values": _values(part, start_s)}
        for prefer, start_s in zip(grid, starts, strict=True)
    ]  # fmt: skip
    axes = [name for name in AXES if name in names]
    logs = _logs(points, axes, _usual(late))
    reference = np.maximum(_logs(early, axes, _usual(early)).max(axis=0), 0.0)
    for point, on_front in zip(points, is_on_front(logs), strict=True):
        point["is_on_front"] = bool(on_front)
    rules = len(late)
    return {
        "history": known.name,
        "tasks": int(known.is_late.sum()),
        "policy": f"learned {learned.algo} seed {learned.seed}, trained on {learned.trained_on}",
        "objectives": [
            {"name": name, "unit": OBJECTIVES[name].unit, "is_axis": name in axes}
            for name in points[0]["values"]
        ],
        "points": points,
        "hypervolume": {
            "reference": dict(zip(axes, np.exp(reference).tolist(), strict=True)),
            **volumes(
                {"rules": logs[:rules], "preferences": logs[rules:], "together": logs}, reference
            ),
        },
        "moves": moves(points[rules:], [weekly(part, one, names) for one in starts], names),
    }


def preferences_of(names: Sequence[str]) -> list[dict[str, float]]:
    """All alike; each objective alone, or above the others; each pair alone.

    >>> [len(preferences_of(["wait", "slowdown", "tail", "fairness"][:k])) for k in (2, 3, 4)]
    [6, 10, 15]
    """
    rest = 1.0 - DOMINANT
    alike: list[Mapping[str, float]] = [dict.fromkeys(names, 1.0 / len(names))]
    alone = [{name: 1.0} for name in names]
    above = [
        {other: DOMINANT if other == name else rest / max(len(names) - 1, 1) for other in names}
        for name in names
    ]
    pairs = [dict.fromkeys(pair, 0.5) for pair in combinations(names, 2)]
    return [dict(one) for one in (*alike, *alone, *above, *pairs)]


def volumes(sets: Mapping[str, Floats], reference: Floats) -> dict[str, float]:
    """Share of the box between the best of all sets (n, k) and a reference (k,) that each covers.

    In logarithms: a point that is 10 % better in one objective covers as much whatever its unit.
    """
    ideal = np.min([points.min(axis=0) for points in sets.values()], axis=0)
    box = float(np.prod(np.maximum(reference - ideal, 1e-12)))
    return {name: hypervolume(points, reference) / box for name, points in sets.items()}


def moves(
    points: Sequence[Mapping[str, Any]], weeks: Sequence[Floats], names: Sequence[str]
) -> list[dict[str, Any]]:
    """What changes if an objective alone is preferred in place of all alike, one move each.

    gives, costs: relative changes of that objective and of all others; weeks_better: in how many
    of the `weeks` the objective was lower. points and weeks (weeks, k) as `preferences_of` lists
    them: all alike first, then each alone.
    """
    found = []
    for i, name in enumerate(names):
        values, alike = points[1 + i]["values"], points[0]["values"]
        change = {other: _ratio(values, alike, other) - 1.0 for other in names}
        better = weeks[1 + i][:, i] < weeks[0][:, i]
        found.append(
            {"to": name, "gives": change.pop(name), "costs": change,
             "weeks": len(better), "weeks_better": int(better.sum())}
        )  # fmt: skip
    return found


def weekly(part: Workload, start_s: Floats, names: Sequence[str]) -> Floats:
    """Values (weeks, k) of the tasks of each week of submissions that has LEAST_TASKS or more."""
    week = ((part.submit_s - part.submit_s[0]) // WEEK_S).astype(np.int64)
    found = []
    for number in np.flatnonzero(np.bincount(week) >= LEAST_TASKS):
        of_week = week == number
        is_known = (part.user[of_week] >= 0).any()
        if is_known or "fairness" not in names:
            found.append(measured(_schedule(part, start_s, of_week), names))
    return np.array(found).reshape(-1, len(names))


def _ratio(values: Mapping[str, float], others: Mapping[str, float], name: str) -> float:
    """One value over another, with the floor of the objective."""
    floor = OBJECTIVES[name].floor
    return (values[name] + floor) / (others[name] + floor)


def _ruled(known: Known, is_late: int, progress: Progress) -> list[dict[str, Any]]:
    """Every standard rule on one part of a history, with requested and predicted runtimes."""
    part = _part(known, is_late)
    plans = recommend.requested_plans(part) + recommend.predicted_plans(part, known.estimate)
    found = []
    for i, plan in enumerate(plans):
        progress(f"Playing rules on the {('earlier', 'later')[is_late]} part", i / len(plans))
        start_s = recommend.judge(part, plan).start_s
        values = _values(part, start_s)
        found.append(
            {"policy": plan.policy, "runtimes": plan.runtimes, "prefer": None, "values": values}
        )
    return found


def _start(part: Workload, known: Known, learned: Learned) -> Floats:
    """When each task of the later part starts under a policy."""
    return simulate_network(
        part, learned.network, known.value_s[known.is_late], part.requested_s,
        backfill_s=known.upper_s[known.is_late],
    )  # fmt: skip


def _part(known: Known, is_late: int) -> Workload:
    """The earlier or the later tasks of a history."""
    early = int((~known.is_late).sum())
    start, end = ((0, early), (early, len(known.is_late)))[is_late]
    return known.workload.part(start, end - start)


def _values(part: Workload, start_s: Floats) -> dict[str, float]:
    """What a schedule is worth in all objectives; without fairness where nobody is known."""
    names = [name for name in OBJECTIVES if name != "fairness" or (part.user >= 0).any()]
    schedule = _schedule(part, start_s, np.ones(len(part), np.bool_))
    return dict(zip(names, measured(schedule, names).tolist(), strict=True))


def _schedule(part: Workload, start_s: Floats, kept: NDArray[np.bool_]) -> Schedule:
    """The schedule of some tasks (n,) of a part."""
    return Schedule(
        part.submit_s[kept], part.runtime_s[kept], part.requested_s[kept], part.procs[kept],
        part.user[kept], start_s[kept], part.total_procs,
    )  # fmt: skip


def _usual(points: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    """The values of the rule that all are held against."""
    (values,) = (p["values"] for p in points if (p["policy"], p["runtimes"]) == USUAL)
    return values


def _logs(
    points: Sequence[Mapping[str, Any]], names: Sequence[str], usual: Mapping[str, float]
) -> Floats:
    """Logs (n, k) of the values of points over the usual ones."""
    return np.log([[_ratio(point["values"], usual, name) for name in names] for point in points])
