"""How long does one answer take in process, and an order of a queue, of which how much is trees?

python benchmarks/in_process.py HOME, one that `headway optimize` left models in; its latest tasks
are asked about. Baselines of the same run: the same models asked part by part over arrays, and
LightGBM's single-row fast calls on the very trees of these models.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl

import headway
from fast_call import FastCall
from headway.predict.boosted import Boosted
from headway.predict.one_row import tell
from headway.predict.sizing.one_row import give
from headway.records import Task, task_fields
from headway.serve import Advisor

TASKS, RUNS, QUEUE, ORDERS = 1000, 4, 128, 15
ASKED = (
    "cluster", "id", "attempt", "user", "group", "project", "workflow", "name", "tag", "queue",
    "container", "parents", "submitted_s", "cpus_requested", "nodes", "gpus", "limit_s",
    "memory_requested_bytes", "input_bytes",
)  # fmt: skip


def latest_tasks(home, n):
    """The last n tasks of a home's log as they were when they were submitted."""
    table = pl.concat([pl.read_parquet(path) for path in home.glob("log/task/*.parquet")])
    rows = table.select([c for c in task_fields() if c in ASKED]).sort("submitted_s").tail(n)
    known = rows.to_dicts()
    return [Task(**row | {"parents": tuple(row["parents"] or ())}) for row in known]


def trees_of(predictor):
    """The first Boosted below a predictor."""
    base = predictor._base
    inner = getattr(base, "_predictors", None) or [m for _, m in base._members]
    return next(one for one in inner if isinstance(one, Boosted))


def fast_calls(boosted):
    """LightGBM's own answer of these trees to a row of features."""
    models = [lightgbm.Booster(model_str=text) for text in boosted._texts]
    calls = FastCall(models, len(boosted._window.columns))

    def ask(x):
        return calls.predict(x.values[0, boosted._window.found(x)[0]])

    return ask


def over_arrays(models, task, at_s):
    """What `size` asks of the models, each part for n rows; no record is made of the answer."""
    x = models.history.look_at((task,), at_s)
    runtime, memory = models.runtime.predict(x), models.memory.predict(x)
    return runtime, memory, models.sizer.size(x, memory.value[:, None])


def micros(call, arguments):
    """Microseconds of CPU of this thread of each call but the first hundred, of several runs."""
    took = []
    for _ in range(RUNS):
        for argument in arguments:
            begin = time.thread_time_ns()
            call(argument)
            took.append((time.thread_time_ns() - begin) / 1e3)
    return np.array(took[100:])


def show(what, took):
    """One line of a table: least, median and 99th percentile."""
    least, median, most = np.quantile(took, [0.0, 0.5, 0.99])
    print(f"| {what} | {least:.1f} | {median:.1f} | {most:.1f} |", flush=True)


def parts(models, tasks, at_s):
    """Each part of an answer and what LightGBM takes for its trees."""
    looked = [models.history.look(task, at_s) for task in tasks]
    believed = [tell(models.memory, x).value for x in looked]
    sized = [(models.sizer, x, peak) for x, peak in zip(looked, believed, strict=True)]
    print("\n| part, us | least | median | 99 % |\n|---|---|---|---|")
    show("features", micros(lambda task: models.history.look(task, at_s), tasks))
    for name, predictor in (("memory", models.memory), ("runtime", models.runtime)):
        boosted = trees_of(predictor)
        forest, trees = boosted._forest, len(boosted._forest._plan.leaves)
        places = boosted._window.found(looked[0])[0]
        show(f"{name}, told", micros(lambda x, p=predictor: tell(p, x), looked))
        show(f"{name}, `predict`", micros(predictor.predict, looked))
        show(f"{name}: its {trees} trees",
             micros(lambda x, f=forest, p=places: f.predict(x.values, p), looked))  # fmt: skip
        show(f"{name}: its trees, LightGBM's fast call", micros(fast_calls(boosted), looked))
    show("size, given", micros(lambda one: give(*one), sized))
    show("size, `RightSizer.size`",
         micros(lambda one: models.sizer.size(one[0], np.array([[one[1]]])),
                list(zip(looked, believed, strict=True))))  # fmt: skip


def orders(client, tasks):
    """An order of a queue whose tasks are new, and again."""
    client.order(tasks[:QUEUE])
    new, seen = [], []
    for run in range(ORDERS):
        queue = [replace(task, id=f"{task.id}/{run}") for task in tasks[run * 50 :][:QUEUE]]
        for took in (new, seen):
            begin = time.thread_time_ns()
            client.order(queue)
            took.append((time.thread_time_ns() - begin) / 1e3)
    print(f"\n| order of {QUEUE}, us | least | median | 99 % |\n|---|---|---|---|")
    show("new", np.array(new))
    show("seen", np.array(seen))


def main(home):
    """Ask one home."""
    tasks = latest_tasks(home, TASKS)
    at_s = max(task.submitted_s for task in tasks) + 1.0
    settings = {"stale_s": 1e12, "clock": lambda: at_s}
    models = Advisor(home, stale_s=1e12).models
    print(f"{len(tasks)} tasks, {models.version}\n")
    print("| one answer, us | least | median | 99 % |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder)
        (copied / "models").symlink_to((home / "models").resolve())
        logged = headway.connect(copied, **settings)
        plain = headway.connect(copied, is_logged=False, **settings)
        show("`size`, logged", micros(logged.size, tasks))
        show("`size`, not logged", micros(plain.size, tasks))
        show("baseline: parts over arrays", micros(lambda t: over_arrays(models, t, at_s), tasks))

        def rested(task):
            time.sleep(0.0005)

        rest = micros(rested, tasks[:100])
        took = micros(lambda task: (rested(task), plain.size(task)), tasks[: TASKS // 4])
        show("`size`, not logged, 0.5 ms after the one before", took - np.median(rest))
        orders(plain, tasks)
        logged.close()
    parts(models, tasks, at_s)


if __name__ == "__main__":
    begin_s = time.process_time()
    main(Path(sys.argv[1]))
    print(f"\n{time.process_time() - begin_s:.0f} CPU s")
