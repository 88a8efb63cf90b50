"""How much of the goodput that faults cost is saved by the default rules of `headway respond`?

`responses.py [--part first|rest] [--cache DIR] [--seed S] HISTORY`, after injected_faults.py with
the same arguments, which keeps what was told. The alerts of the spoilt and of the untouched history
go through the real Responder with the default rules, mode act, its limits and cooldowns; its hands
note what was done and when. Nothing is scheduled anew: what an action saves or costs is counted.

Lost without a response: all core-seconds of tasks that hang, are killed or fail, and the longer
part of those on a slow node. With it: a task that is requeued loses what it ran until then; a node
or user that was stopped loses nothing from then on, until the rule's end (a week, a day). Costs:
healthy tasks that are requeued lose what they ran (on both histories); their number, and the
core-seconds of healthy tasks that a hold delays, are told beside it.
"""

import pickle
from collections import defaultdict

import numpy as np

from faults import cores
from headway.anomaly.slow_nodes import nodes_of
from headway.respond import Hand, Responder, load_rules
from injected_faults import arguments, kept_at, set_up

HOUR_S = 3600.0


def acted(told, world):
    """When each subject was acted upon: (action, subject) -> moments; and what was refused."""
    rules, done, refused = load_rules(), defaultdict(list), defaultdict(int)
    nodes = {name for task in world.tasks for name in nodes_of(task)}
    now = [0.0]

    def hand(action):
        done[action.action, action.subject].append(now[0])
        return "done"

    names = ("requeue", "drain", "hold", "retry_with_memory", "webhook")
    hands = {name: Hand(hand, lambda _: "undone") for name in names}
    responder = Responder(rules, hands, lambda _: None, mode="act", nodes=len(nodes))
    for seen_s, alert in told:
        now[0] = seen_s
        responder.expire(seen_s)
        for action in responder.respond(alert, seen_s):
            if action.state == "refused":
                refused[action.reason.split(":")[0].split(",")[0][:40]] += 1
    return done, refused


def first_between(moments, from_s, to_s):
    """The first moment within, infinite = none."""
    return min((m for m in moments if from_s <= m < to_s), default=np.inf)


def stopped_at(done, action, subject, lasts_s, at_s):
    """Whether a subject is out of service at a moment."""
    return any(m <= at_s < m + lasts_s for m in done[action, subject])


def losses(world, spoilt, incidents, done):
    """Core-seconds lost to each kind without and with the response."""
    lost = defaultdict(lambda: np.zeros(2))
    for one in incidents:
        for i in one.tasks:
            bad, good = spoilt.tasks[i], world.tasks[i]
            ran_s = bad.ended_s - bad.started_s
            longer_s = ran_s - (good.ended_s - good.started_s)
            is_wasted = bad.state != good.state
            without_s = ran_s if is_wasted else max(longer_s, 0.0)
            with_s = without_s
            if one.kind in ("stuck", "spinning", "leak"):
                at_s = first_between(done["requeue", bad.id], bad.started_s, bad.ended_s)
                if np.isfinite(at_s):
                    with_s = at_s - bad.started_s
            elif (
                one.kind == "slow_node"
                and stopped_at(done, "drain", one.subject, 7 * 86400.0, bad.started_s)
            ) or (
                one.kind == "failing"
                and stopped_at(done, "hold", one.subject, 86400.0, bad.started_s)
            ):
                with_s = 0.0
            lost[one.kind] += np.array([without_s, with_s]) * cores(bad)
    return lost


def costs(world, done, spoilt_rows, from_s, to_s):
    """Healthy tasks requeued, their core-seconds lost, and core-seconds of tasks held back."""
    requeued, wasted, held = 0, 0.0, 0.0
    holds = [(s, m) for (a, s), moments in done.items() if a == "hold" for m in moments]
    for i, task in enumerate(world.tasks):
        if i in spoilt_rows or not from_s <= task.ended_s:
            continue
        at_s = first_between(done.get(("requeue", task.id), ()), task.started_s, task.ended_s)
        if np.isfinite(at_s):
            requeued += 1
            wasted += (at_s - task.started_s) * cores(task)
        owner = task.user or task.workflow
        if any(s == owner and m <= task.started_s < m + 86400.0 for s, m in holds):
            held += (task.ended_s - task.started_s) * cores(task)
    return requeued, wasted, held


def main():
    """Print the tables."""
    asked = arguments()
    world, spoilt, incidents, _, (from_s, to_s) = set_up(asked)
    with kept_at(asked).open("rb") as file:
        untouched, told = pickle.load(file)
    done, refused = acted([x for x in told if x[0] >= from_s], spoilt)
    lost = losses(world, spoilt, incidents, done)
    print("| fault | lost without, core-hours | with the response | saved |\n|---|---|---|---|")
    for kind, (without, after) in lost.items():
        saved = 1 - after / max(without, 1e-9)
        print(f"| {kind} | {without / HOUR_S:,.0f} | {after / HOUR_S:,.0f} | {saved:.0%} |")
    rows = {i for one in incidents for i in one.tasks}
    requeued, wasted, held = costs(spoilt, done, rows, from_s, to_s)
    without, after = np.sum(list(lost.values()), axis=0)
    print(f"| healthy tasks requeued: {requeued} |  | {wasted / HOUR_S:,.0f} |  |")
    print(f"| **all** | {without / HOUR_S:,.0f} | {(after + wasted) / HOUR_S:,.0f} |"
          f" {1 - (after + wasted) / without:.0%} |")  # fmt: skip
    ran = sum((t.ended_s - t.started_s) * cores(t) for t in world.tasks if t.ended_s >= from_s)
    print(f"\nhealthy work held back {held / HOUR_S:,.0f} core-hours of {ran / HOUR_S:,.0f};"
          f" refused by limits: {dict(refused)}")  # fmt: skip
    done, _ = acted([x for x in untouched if x[0] >= from_s], world)
    requeued, wasted, held = costs(world, done, set(), from_s, to_s)
    counts = {a: sum(len(m) for (b, _), m in done.items() if b == a) for a, _ in done}
    print(f"untouched history: {counts}, {requeued} requeued, {wasted / HOUR_S:,.0f} core-hours"
          f" lost by it, {held / HOUR_S:,.0f} held back")  # fmt: skip


if __name__ == "__main__":
    main()
