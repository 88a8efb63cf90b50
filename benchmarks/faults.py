"""Faults of four kinds and three severities, put into the tasks of a history by a seed.

Each fault changes what became of tasks, never what was known of them before: ends, states and
readings. Starts stay as they were: nothing is scheduled anew.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from fault_world import DAY_S, World

SEVERITIES = ("mild", "medium", "severe")
SLOWER = {"mild": 1.3, "medium": 2.0, "severe": 4.0}  # times as long on a slow node
GROWN = {"mild": 2.0, "medium": 5.0, "severe": 20.0}  # times its peak held in the end
HANGS = {"mild": (2.0, 4.0), "medium": (4.0, 10.0), "severe": (10.0, np.inf)}
"""How many times of its own runtime a task that hangs stays until its limit."""
SILENT = 0.75  # of the tasks that hang do nothing; the others turn in a busy loop
FAILS = {"mild": 0.3, "medium": 0.6, "severe": 0.95}  # of the tasks of a failing user


@dataclass
class Incident:
    """A fault that was put in: what it is of, when, and which tasks it spoilt."""

    kind: str  # stuck | spinning | leak | slow_node | failing
    severity: str
    subject: str
    since_s: float  # from when on it could be seen
    until_s: float
    tasks: list = field(default_factory=list)  # rows of the tasks that it spoilt
    lost_core_s: float = 0.0


@dataclass
class Terms:
    """What faults look like in a history, by its pace."""

    node_s: float = 14 * DAY_S  # how long a node stays slow when nobody acts
    user_s: float = 3 * DAY_S  # how long a user's tasks fail
    least_s: float = 600.0  # runtime of a task that may hang or leak, at least
    least_tasks: int = 20  # of a user within user_s
    earlier: int = 5  # tasks of its kind that have ended before, at least
    is_by_hand: bool = False  # limits are far away: somebody ends a task that hangs


def inject(world, n, from_s, to_s, seed, terms):
    """A world with n incidents between two moments, a quarter of each kind, and the incidents."""
    rng = np.random.default_rng(seed)
    tasks, rises, hangs, taken = list(world.tasks), {}, {}, set()
    order = np.argsort([t.started_s for t in tasks], kind="stable")
    rows = [int(i) for i in order if from_s <= tasks[i].started_s < to_s]
    known = _known(world.tasks, terms)
    incidents = []
    for k in range(n):
        kind = ("failing", "slow_node", "stuck", "leak")[k * 4 // n]
        severity = SEVERITIES[k % 3]
        made = None
        for _ in range(4000):
            if kind == "slow_node":
                made = _slow_node(tasks, rows, severity, rng, terms, taken, (from_s, to_s))
            elif kind == "failing":
                made = _failing(tasks, rows, severity, rng, terms, taken, (from_s, to_s))
            else:
                i = rows[rng.integers(len(rows))]
                put, marks = (_stuck, hangs) if kind == "stuck" else (_leak, rises)
                if i not in taken and i in known:
                    made = put(tasks, i, severity, rng, terms, marks)
            if made is not None:
                break
        if made is None:
            continue
        taken.update(made.tasks)
        incidents.append(made)
    spoilt = World(world.name, tasks, world.predictions, world.seed, world.read_s, rises, hangs)
    spoilt.began_s = world.began_s
    return spoilt, incidents


def _known(tasks, terms):
    """Rows of tasks of whose kind enough have ended when they start."""
    ends, found = {}, set()
    for i in sorted(range(len(tasks)), key=lambda i: tasks[i].started_s):
        t = tasks[i]
        kind = (t.user, t.workflow, t.name, None if t.name else (t.cpus_requested, t.limit_s))
        earlier = ends.setdefault(kind, [])
        if sum(e <= t.started_s for e in earlier[-400:]) >= terms.earlier:
            found.add(i)
        earlier.append(t.ended_s)
    return found


def cores(task):
    """Processors that a task holds."""
    return float(task.cpus_allocated or task.cpus_requested or 1.0)


def _stuck(tasks, i, severity, rng, terms, hangs):
    """A task hangs somewhere in its run until it is killed at its limit."""
    t = tasks[i]
    ran_s, low_high = t.ended_s - t.started_s, HANGS[severity]
    if ran_s < terms.least_s or t.limit_s is None or t.state != "completed":
        return None
    stays = t.limit_s / ran_s
    if terms.is_by_hand:
        stays = rng.uniform(low_high[0], min(low_high[1], 40.0))
    if not low_high[0] <= stays < low_high[1]:
        return None
    killed_s = t.started_s + stays * ran_s
    hangs_s = t.started_s + rng.uniform(0.1, 0.9) * ran_s
    is_silent = rng.random() < SILENT
    hangs[t.id] = (hangs_s, is_silent, ran_s)
    share = 1.0 if t.cpu_s is None else (hangs_s - t.started_s) / ran_s
    tasks[i] = replace(t, ended_s=killed_s, state="timeout")
    lost = stays * ran_s * cores(t)
    kind = "stuck" if is_silent and share < 1.0 else "spinning"
    return Incident(kind, severity, t.id, hangs_s, killed_s, [i], lost)


def _leak(tasks, i, severity, rng, terms, rises):
    """A task's memory grows evenly beside what it needs, until it is killed or ends."""
    t = tasks[i]
    ran_s = t.ended_s - t.started_s
    if ran_s < 6 * terms.least_s or t.memory_peak_bytes is None or t.memory_peak_bytes < 50e6:
        return None
    if t.state != "completed":
        return None
    since_s = rng.uniform(0.0, 0.3) * ran_s
    rate = GROWN[severity] * t.memory_peak_bytes / (ran_s - since_s)
    most = max(t.memory_requested_bytes or 0, 4 * t.memory_peak_bytes)
    full_s = since_s + (most - t.memory_peak_bytes) / rate
    is_killed = full_s < ran_s
    ended_s = t.started_s + (full_s if is_killed else ran_s)
    held = int(min(most, t.memory_peak_bytes + rate * (ran_s - since_s)))
    tasks[i] = replace(
        t,
        ended_s=ended_s,
        memory_peak_bytes=held,
        state="out_of_memory" if is_killed else "completed",
    )
    # the peak that readings are drawn from stays the normal one: see fault_world.readings
    rises[t.id] = (since_s, rate, ran_s, t.memory_peak_bytes)
    lost = (ended_s - t.started_s) * cores(t) if is_killed else 0.0
    return Incident("leak", severity, t.id, t.started_s + since_s, ended_s, [i], lost)


def _slow_node(tasks, rows, severity, rng, terms, taken, span):
    """All that starts on a node for a while runs longer."""
    since_s = rng.uniform(span[0], max(span[1] - terms.node_s, span[0] + 1.0))
    until_s = since_s + terms.node_s
    here = [i for i in rows if since_s <= tasks[i].started_s < until_s and i not in taken]
    names = sorted({name for i in here for name in (tasks[i].node or "").split(",") if name})
    if not names:
        return None
    name = names[rng.integers(len(names))]
    made = Incident("slow_node", severity, name, since_s, until_s)
    for i in here:
        t = tasks[i]
        if name not in (t.node or "").split(","):
            continue
        ran_s = (t.ended_s - t.started_s) * SLOWER[severity]
        is_killed = t.limit_s is not None and ran_s > t.limit_s >= t.ended_s - t.started_s
        ran_s = t.limit_s if is_killed else ran_s
        made.lost_core_s += (ran_s if is_killed else ran_s - (t.ended_s - t.started_s)) * cores(t)
        tasks[i] = replace(
            t, ended_s=t.started_s + ran_s, state="timeout" if is_killed else t.state
        )
        made.tasks.append(i)
    return made if len(made.tasks) >= 5 else None


def _failing(tasks, rows, severity, rng, terms, taken, span):
    """A user's tasks fail somewhere in their run, for a while."""
    since_s = rng.uniform(span[0], max(span[1] - terms.user_s, span[0] + 1.0))
    until_s = since_s + terms.user_s
    here = [i for i in rows if since_s <= tasks[i].started_s < until_s and i not in taken]
    owners = {}
    for i in here:
        owners.setdefault(tasks[i].user or tasks[i].workflow, []).append(i)
    owners = {k: v for k, v in owners.items() if len(v) >= terms.least_tasks}
    if not owners:
        return None
    name = sorted(owners)[rng.integers(len(owners))]
    made = Incident("failing", severity, name, tasks[owners[name][0]].started_s, until_s)
    for i in owners[name]:
        t = tasks[i]
        if rng.random() >= FAILS[severity]:
            continue
        ran_s = rng.uniform(0.05, 1.0) * (t.ended_s - t.started_s)
        tasks[i] = replace(t, ended_s=t.started_s + ran_s, state="failed")
        made.tasks.append(i)
        made.lost_core_s += ran_s * cores(t)
    return made if made.tasks else None
