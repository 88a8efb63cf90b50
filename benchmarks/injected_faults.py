"""Are faults of tasks, nodes and users found, how soon, and at how many false alarms a week?

`injected_faults.py [--part first|rest] [--cache DIR] [--seed S] HISTORY`: an SWF trace (nodes by a
seeded placement, readings made up, see fault_world.py) or a Nextflow trace (run again and again).
Thresholds come from the time before the incidents: `first` learns on 40 % of the time and judges on
the next 20 % (settings were chosen there), `rest` learns on 60 % and judges on the last 40 %.
A leak whose task was killed for memory before it was found is counted apart: told by its kill.
Baseline: a task is stuck when it runs three times as long as the longest of its kind, a user fails
when half of the last ten tasks failed; it knows neither nodes nor readings.
"""

import argparse
import collections
import pickle
import time
from pathlib import Path

import numpy as np

from fault_world import DAY_S, WEEK_S, hpc2n, recurring, watched
from faults import SEVERITIES, Terms, inject
from headway.anomaly.tasks import TaskWatch
from headway.records import Estimate

PARTS = {"first": (0.4, 0.6), "rest": (0.6, 1.0)}
MEANT = {
    "stuck": ("stuck", "overrun"), "spinning": ("stuck", "overrun"), "leak": ("leak",),
    "slow_node": ("slow_node",), "failing": ("failing",),
}  # fmt: skip
GRACE_S = 7 * DAY_S  # after the end of a slow node or a failing user in which an alert still counts


def estimate_of(path, cache):
    """What was foretold of the runtimes of a trace, causally; kept in cache."""
    kept = cache / f"{path.name}.npz"
    if not kept.exists():
        from learned_schedulers import predicted

        cache.mkdir(parents=True, exist_ok=True)
        predicted(path, cache)
    with np.load(kept) as found:
        n = len(found["value"])
        return Estimate(
            value=found["value"], levels=found["levels"], quantiles=found["quantiles"],
            made_by=np.full(n, ""), refused=np.full(n, ""),
        )  # fmt: skip


def world_of(path, cache, seed):
    """The world of a history, the terms of its faults and the settings of its watch."""
    if ".swf" in path.name:
        return hpc2n(path, estimate_of(path, cache), seed), Terms(), {"floor_s": 60.0}
    world = recurring(path, runs=140, every_s=12 * 3600.0, noise=0.1, seed=seed)
    terms = Terms(node_s=DAY_S, user_s=4 * 3600.0, least_s=60.0, is_by_hand=True)
    return world, terms, {"floor_s": 10.0, "hold_s": 4 * 3600.0}


def set_up(asked):
    """World, spoilt world, incidents, settings of the watch, and the span that is judged."""
    world, terms, settings = world_of(asked.history, asked.cache, asked.seed)
    span_s = world.ended_s - world.began_s
    from_s, to_s = (world.began_s + share * span_s for share in PARTS[asked.part])
    settings |= {"learn_s": from_s - world.began_s, "false_alarms_per_week": asked.budget}
    spoilt, incidents = inject(world, asked.incidents, from_s, to_s, asked.seed + 1, terms)
    return world, spoilt, incidents, settings, (from_s, to_s)


def kept_at(asked):
    """Where what was told of a history is kept for the benchmark of responses."""
    asked.cache.mkdir(parents=True, exist_ok=True)
    what = f"{asked.history.name}-{asked.part}-{asked.seed}-{asked.incidents}-{asked.budget:g}"
    return asked.cache / f"{what}.told"


def matches(incident, alert, seen_s, members):
    """Whether what an alert says is what was put in."""
    if alert.kind not in MEANT[incident.kind] or seen_s < incident.since_s:
        return False
    if incident.kind in ("slow_node", "failing"):
        is_it = alert.subject == incident.subject
        return is_it and seen_s <= incident.until_s + GRACE_S
    return incident.subject in members and seen_s <= incident.until_s


def found_at(incidents, told):
    """When each incident was first told of, NaN = never, and which alerts were of one."""
    at, is_meant, before = np.full(len(incidents), np.nan), set(), {}
    for seen_s, alert in told:
        members = set(alert.dimensions) - before.get(alert.alert_id, set())
        before[alert.alert_id] = set(alert.dimensions)
        for k, incident in enumerate(incidents):
            if matches(incident, alert, seen_s, members):
                is_meant.add(alert.alert_id)
                if np.isnan(at[k]) and alert.ended_s is None:
                    at[k] = seen_s
    return at, is_meant


def false_alarms(told, from_s, to_s):
    """First alerts by kind on an untouched history, and the tasks that they name."""
    first, members = {}, collections.Counter()
    for seen_s, alert in told:
        if from_s <= seen_s < to_s and alert.kind != "out_of_memory":
            first.setdefault(alert.alert_id, alert)
            members[alert.alert_id] = max(len(alert.dimensions), 1)
    counts = collections.Counter(alert.kind for alert in first.values())
    return counts, sum(members.values())


def plain_rules(world, from_s):
    """What the baseline tells of: (seen_s, kind, subject) after from_s, each subject once a day."""
    longest, outcomes, told, last = {}, {}, [], {}
    events = [(t.started_s, 1, i) for i, t in enumerate(world.tasks)]
    events += [(t.ended_s, 0, i) for i, t in enumerate(world.tasks)]
    due = {}
    for at_s, starts, i in sorted(events):
        t = world.tasks[i]
        kind = (t.user, t.workflow, t.name or (t.cpus_requested, t.limit_s))
        owner = t.user or t.workflow
        found = []
        if starts:
            due[i] = at_s + 3 * max(longest[kind], 600.0) if kind in longest else np.inf
        else:
            if due.get(i, np.inf) < at_s:
                found.append((due[i], "stuck", owner, t.id))
            longest[kind] = max(longest.get(kind, 0.0), t.ended_s - t.started_s)
            latest = outcomes.setdefault(owner, collections.deque(maxlen=10))
            latest.append(t.state not in ("completed", "unknown"))
            if sum(latest) >= 5:
                found.append((at_s, "failing", owner, owner))
        for seen_s, what, about, subject in found:
            fresh = seen_s - last.get((what, about), -np.inf) > DAY_S
            last[what, about] = max(seen_s, last.get((what, about), seen_s))
            if seen_s >= from_s:
                told.append((seen_s, what, subject, fresh))
    return told


def baseline(world, spoilt, incidents, from_s, to_s):
    """Shares found by the baseline by kind and severity, and its false alarms a week."""
    fresh = [1 for s, _, _, new in plain_rules(world, from_s) if new and s < to_s]
    told, hits = plain_rules(spoilt, from_s), collections.Counter()
    index = {}
    for seen_s, what, subject, _ in told:
        index.setdefault((what, subject), []).append(seen_s)
    for one in incidents:
        what = "failing" if one.kind == "failing" else "stuck"
        seen = index.get((what, one.subject), [])
        hits[one.kind, one.severity] += any(one.since_s <= s <= one.until_s for s in seen)
    return hits, len(fresh) * WEEK_S / (to_s - from_s)


def arguments():
    """What to run on: also what keeps its results apart."""
    parser = argparse.ArgumentParser()
    parser.add_argument("history", type=Path)
    parser.add_argument("--part", choices=list(PARTS), default="first")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/faults"))
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=0.75)
    return parser.parse_args()


def main():
    """Print the tables."""
    asked = arguments()
    world, spoilt, incidents, settings, (from_s, to_s) = set_up(asked)
    watch = TaskWatch(**settings)
    untouched = watched(world, watch, to_s)
    counts, members = false_alarms(untouched, from_s, to_s)
    weeks = (to_s - from_s) / WEEK_S
    learned = (from_s - world.began_s) / WEEK_S
    print(f"{world.name}: {len(world.tasks):,} tasks, learned {learned:.1f} weeks,"
          f" judged {weeks:.1f}; {len(incidents)} incidents")  # fmt: skip
    print("thresholds", {k: round(v, 2) for k, v in watch.thresholds.items()})
    print(
        f"false alarms a week {sum(counts.values()) / weeks:.2f}, tasks named"
        f" {members / weeks:.2f};",
        {k: round(v / weeks, 2) for k, v in counts.items()},
    )
    began = time.process_time()
    told = watched(spoilt, TaskWatch(**settings), to_s)
    cpu_s = time.process_time() - began
    with kept_at(asked).open("wb") as file:
        pickle.dump((untouched, told), file)
    at, _ = found_at(incidents, told)
    killed = {a.subject for _, a in told if a.kind == "out_of_memory"}
    killed |= {name for _, a in told if a.kind == "out_of_memory" for name in a.dimensions}
    by_end = np.array([one.kind == "leak" and one.subject in killed for one in incidents])
    hits, plain = baseline(world, spoilt, incidents, from_s, to_s)
    print(f"plain rules: {plain:.2f} false alarms a week\n")
    print("| fault | severity | incidents | found | median delay, h | or told by its kill |"
          " plain rules |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for kind in MEANT:
        for severity in SEVERITIES:
            rows = [k for k, one in enumerate(incidents)
                    if (one.kind, one.severity) == (kind, severity)]  # fmt: skip
            if not rows:
                continue
            delays = np.array([at[k] - incidents[k].since_s for k in rows]) / 3600.0
            seen = np.isfinite(delays)
            delay = f"{np.median(delays[seen]):.2g}" if seen.any() else ""
            either, share = (seen | by_end[rows]).mean(), hits[kind, severity] / len(rows)
            print(f"| {kind} | {severity} | {len(rows)} | {seen.mean():.0%} | {delay} |"
                  f" {either:.0%} | {share:.0%} |")  # fmt: skip
    severe = [k for k, one in enumerate(incidents) if one.severity == "severe"]
    seen = np.isfinite(at[severe])
    print(f"\nsevere ones found: {seen.mean():.1%} of {len(severe)}, or told by their kill"
          f" {(seen | by_end[severe]).mean():.1%}; CPU of watching {cpu_s:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
