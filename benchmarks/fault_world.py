"""Histories as a stream of events, predictions and readings, into which faults can be injected.

What a history does not say is made up, seeded, and said so: nodes (`placed`), readings of memory
(`readings`), and for a workflow that ran once the runs that come after it (`recurring`).
"""

from dataclasses import dataclass, field, replace

import numpy as np

from headway.history import open_traces, tasks_of
from headway.records import Event, Prediction, Sample, Task

DAY_S, WEEK_S = 86400.0, 7 * 86400.0
METRICS = {3: "memory_bytes", 4: "cpu_share"}
READ_S = 60.0  # between readings of a task's memory, at first


@dataclass
class World:
    """Tasks as they came, what was foretold of each, and what their memory did."""

    name: str
    tasks: list  # Task, whole, in order of submission
    predictions: list  # one tuple of Predictions a task
    seed: int
    read_s: float = READ_S
    rises: dict = field(default_factory=dict)  # id -> since_s, bytes_per_s, normal_s, normal peak
    hangs: dict = field(default_factory=dict)  # id -> when it hangs, is it silent
    began_s: float = 0.0
    ended_s: float = 0.0

    def __post_init__(self):
        self.began_s = min(t.submitted_s for t in self.tasks)
        self.ended_s = max(t.ended_s for t in self.tasks)


def hpc2n(path, estimate, seed=0):
    """A world of an SWF trace: nodes of two processors by a seeded placement, runtimes foretold.

    estimate: an Estimate with a row for each task in order of submission; None = none are.
    """
    table, facts = tasks_of(open_traces([path]), lambda what, share: None)
    tasks = [Task(**row) for row in table.iter_rows(named=True)]
    tasks = [replace(t, parents=()) for t in tasks]
    tasks = placed(tasks, int(facts[0].total_cpus) // 2, 2, seed)
    told = [()] * len(tasks)
    if estimate is not None:
        levels = tuple(estimate.levels.tolist())
        told = [
            (foretold(t, "runtime_s", float(estimate.value[i]), levels, estimate.quantiles[i]),)
            if np.isfinite(estimate.value[i])
            else ()
            for i, t in enumerate(tasks)
        ]
    return World(path.name, tasks, told, seed)


def foretold(task, target, value, levels, quantiles):
    """A Prediction of one task as of its submission."""
    return Prediction(
        cluster=task.cluster, id=task.id, attempt=task.attempt, at_s=task.submitted_s,
        target=target, value=value, levels=levels, quantiles=tuple(quantiles.tolist()),
        made_by="replay",
    )  # fmt: skip


def placed(tasks, nodes, per_node, seed):
    """The tasks with the names of nodes that were free, taken at random but filled one by one."""
    rng = np.random.default_rng(seed)
    free = np.full(nodes, per_node)
    order = rng.permutation(nodes)
    happens = [(t.ended_s, 0, i) for i, t in enumerate(tasks)]
    happens += [(t.started_s, 1, i) for i, t in enumerate(tasks)]
    held, names = {}, [f"n{k:03d}" for k in range(nodes)]
    for _, starts, i in sorted(happens):
        if not starts:
            if i in held:
                np.add.at(free, held.pop(i), 1)
            continue
        wanted = max(int(tasks[i].cpus_allocated or 1), 1)
        order = np.roll(order, int(rng.integers(nodes)))
        open_now = order[np.argsort(free[order] <= 0, kind="stable")]
        counts = np.maximum(free[open_now], 0)
        cpus = np.repeat(open_now, counts)[:wanted]
        if len(cpus) < wanted:  # the trace holds more than the machine has
            cpus = np.concatenate([cpus, open_now[: wanted - len(cpus)]])
        np.add.at(free, cpus, -1)
        if tasks[i].ended_s > tasks[i].started_s:
            held[i] = cpus
        else:
            np.add.at(free, cpus, 1)
        tasks[i] = replace(tasks[i], node=",".join(names[k] for k in dict.fromkeys(cpus.tolist())))
    return tasks


def recurring(path, runs, every_s, noise, seed=0):
    """A workflow that ran once, run again and again: each run draws anew within each process.

    A task of a run takes runtime and peak memory of a random task of its process, times a
    lognormal factor of `noise`, and begins when it did in the real run. Nodes are those of the
    real run, drawn anew for each task.
    """
    table, _ = tasks_of(open_traces([path]), lambda what, share: None)
    real = [Task(**row) for row in table.iter_rows(named=True)]
    rng = np.random.default_rng(seed)
    by_name, nodes, zero_s = {}, sorted({t.node for t in real}), real[0].submitted_s
    for t in real:
        by_name.setdefault(t.name, []).append(t)
    tasks = []
    for run in range(runs):
        shift_s = run * every_s
        for i, t in enumerate(real):
            like = by_name[t.name][rng.integers(len(by_name[t.name]))]
            times, more = np.exp(noise * rng.standard_normal(2))
            started_s = t.started_s + shift_s
            runtime_s = max((like.ended_s - like.started_s) * times, 1.0)
            tasks.append(replace(
                t, id=f"{run}-{i}", parents=(), submitted_s=t.submitted_s + shift_s,
                started_s=started_s, ended_s=started_s + runtime_s,
                memory_peak_bytes=int((like.memory_peak_bytes or 1e6) * more),
                node=nodes[rng.integers(len(nodes))],
            ))  # fmt: skip
    tasks.sort(key=lambda t: t.submitted_s)
    return World(f"{path.name} from {zero_s:.0f} on, {runs} runs", tasks, [()] * len(tasks), seed,
                 read_s=15.0)  # fmt: skip


def readings(world, i, rng):
    """Times and bytes of the readings of a task: a plateau, an even rise or steps, up to its peak.

    Half of the tasks reach a plateau within half of their runtime, three tenths rise evenly to
    their end, a fifth in three steps; noise 2 %. Readings come every read_s, later at every 16th
    of what has elapsed, so that they do not tell how long a task will run.
    """
    task = world.tasks[i]
    ran_s = task.ended_s - task.started_s
    even = np.arange(1, 17) * world.read_s
    more = int(np.log(max(ran_s / even[-1], 1.0)) * 17)
    later = even[-1] * (17 / 16) ** np.arange(1, more + 1)
    at = np.concatenate([even, later])
    at = at[at < ran_s]
    shape, ramp = rng.random(), rng.uniform(0.02, 0.5)
    since_s, rate, normal_s, peak = world.rises.get(
        task.id, (0.0, 0.0, ran_s, task.memory_peak_bytes)
    )
    share = at / normal_s
    grown = (
        np.minimum(share / ramp, 1.0) if shape < 0.5 else
        np.minimum(share, 1.0) if shape < 0.8 else np.minimum((1 + np.floor(share * 3)) / 3, 1.0)
    )  # fmt: skip
    held = (peak or 0.0) * grown * (1 + 0.02 * rng.standard_normal(len(at)))
    if task.id in world.rises:
        held = held + rate * np.maximum(at - since_s, 0.0)
    at = task.started_s + at
    return at, (np.zeros(0) if peak is None else np.maximum(held, 1e6))


def workings(world, i, at, rng):
    """cpu_share of a task at its readings (n,): from its processor time, 0 from when it hangs.

    Half of the tasks use the same share throughout (noise 20 %), half work and wait in turn: waits
    are lognormal around 20 minutes. A task that hangs in a busy loop uses all it has.
    """
    task = world.tasks[i]
    hangs_s, is_silent, ran_s = world.hangs.get(
        task.id, (np.inf, True, task.ended_s - task.started_s)
    )
    if task.cpu_s is None or not len(at) or ran_s <= 0.0:
        return None
    mean = min(task.cpu_s / ran_s / (task.cpus_allocated or 1.0), 1.0)
    steady = rng.random() < 0.5
    if steady or mean > 0.95:
        share = mean * np.clip(1 + 0.2 * rng.standard_normal(len(at)), 0.0, None)
    else:
        waits = 1200.0 * np.exp(rng.standard_normal(4000))
        works = waits * mean / (1.0 - mean)
        ends = np.cumsum(np.stack([works, waits], axis=1).ravel())
        share = (np.searchsorted(ends, at - task.started_s) % 2 == 0).astype(float)
    return np.where(at < hangs_s, share, 0.0 if is_silent else 1.0)


def happenings(world, from_s=-np.inf, to_s=np.inf):
    """Everything of a world in order of time: ("event" | "prediction" | "sample", record)."""
    times, kinds, rows, values = [], [], [], []
    for i, task in enumerate(world.tasks):
        rng = np.random.default_rng((world.seed, int(task.id.split("-")[-1]) % 2**31))
        at, held = readings(world, i, rng)
        work = workings(world, i, at, rng)
        work = np.zeros(0) if work is None else work
        times += [
            task.ended_s,
            task.submitted_s,
            task.started_s,
            *at[: len(held)],
            *at[: len(work)],
        ]
        kinds += [0, 1, 2, *[3] * len(held), *[4] * len(work)]
        rows += [i] * (3 + len(held) + len(work))
        values += [0.0, 0.0, 0.0, *held, *work]
    order = np.lexsort((np.array(kinds), np.array(times)))
    instant = {i for i, t in enumerate(world.tasks) if t.ended_s <= t.started_s}
    for k in order:
        i, at_s = rows[k], times[k]
        task = world.tasks[i]
        if not from_s <= at_s < to_s:
            continue
        if kinds[k] == 0 and i not in instant:
            yield "event", Event(kind="ended", at_s=at_s, task=task)
        elif kinds[k] == 1:
            for prediction in world.predictions[i]:
                yield "prediction", prediction
        elif kinds[k] == 2:
            running = replace(task, ended_s=None, memory_peak_bytes=None, state="running")
            yield "event", Event(kind="started", at_s=at_s, task=running)
            if i in instant:
                yield "event", Event(kind="ended", at_s=at_s, task=task)
        else:
            yield "sample", Sample(
                cluster=task.cluster, source=task.id, metric=METRICS[kinds[k]], at_s=at_s,
                value=float(values[k]),
            )  # fmt: skip


def watched(world, watch, until_s=np.inf):
    """(seen_s, alert) of every alert that a watch gives for a world, as it gives them."""
    told = []
    for what, record in happenings(world, to_s=until_s):
        if what == "prediction":
            watch.believe(record)
            continue
        alerts = watch.see(record) if what == "event" else watch.read(record)
        told += [(record.at_s, alert) for alert in alerts]
    return told
