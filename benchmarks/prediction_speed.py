"""How long does one prediction take, how many a second in a batch, and how long an update?

python benchmarks/prediction_speed.py; for the rows of ONNX Runtime: pip install -e '.[bench]'
"""

import sys
import time
from importlib.util import find_spec
from pathlib import Path

import lightgbm
import numpy as np

from fast_call import FastCall
from headway.features import NAMES, History
from headway.predict import Boosted, predictor_for
from headway.predict.forest import Forest
from headway.records import Task

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "predict"))
from made_up import history

CALLS, BATCHES, ROWS = 2000, 15, 8000


class ByOnnx:
    """The same models in ONNX Runtime, one thread, in single precision."""

    def __init__(self, boosters, d):
        import onnxruntime
        from onnxmltools.convert import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        models = [
            convert_lightgbm(b, initial_types=[("x", FloatTensorType([None, d]))], zipmap=False)
            for b in boosters
        ]
        self.sessions = [
            onnxruntime.InferenceSession(
                m.SerializeToString(), settings, providers=["CPUExecutionProvider"]
            )
            for m in models
        ]

    def predict(self, x):
        """Answers (n, models) to rows x (n, d) of float32."""
        return [session.run(None, {"x": x})[0] for session in self.sessions]


def micros(call, arguments):
    """Microseconds of each call: least, median and 99th percentile, CPU time of this thread.

    The least is what the call costs when no other process has emptied the caches.
    """
    took = np.empty(len(arguments))
    for i, argument in enumerate(arguments):
        begin = time.thread_time_ns()
        call(argument)
        took[i] = time.thread_time_ns() - begin
    return np.quantile(took[len(took) // 10 :] / 1e3, [0.0, 0.5, 0.99])


def show_single(what, took, of=None):
    """One line about single calls, with the ratio of the medians to another line's."""
    ratio = "" if of is None else f" {took[1] / of[1]:.1f}"
    print(f"| {what} | {took[1]:.1f} | {took[2]:.1f} | {took[0]:.1f} |{ratio} |")


def show_batch(what, call, rows):
    """One line about a batch: rows a second of CPU, the median and the best of several runs."""
    took = []
    for _ in range(BATCHES):
        begin = time.process_time()
        call()
        took.append(rows / (time.process_time() - begin))
    print(f"| {what} | {np.median(took):,.0f} | {max(took):,.0f} |")


def usual():
    """A model of the size whose speed is commonly told: 200 trees of 31 leaves on 30 columns."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 30))
    y = x @ rng.normal(size=30) + rng.normal(size=ROWS)
    x[rng.random(x.shape) < 0.05] = np.nan
    settings = {"objective": "regression", "num_leaves": 31, "verbosity": -1, "num_threads": 1}
    return [lightgbm.train(settings, lightgbm.Dataset(x, y), 200).model_to_string()], x


def trees(texts, rows):
    """The trees alone: each engine on the same rows."""
    boosters = [lightgbm.Booster(model_str=text) for text in texts]
    ones = [rows[i : i + 1] for i in range(CALLS)]
    places = np.arange(rows.shape[1], dtype=np.uint32)
    forest, fast = Forest(texts), FastCall(boosters, rows.shape[1])
    together = [forest.predict(rows, places)]
    together.append(np.column_stack([b.predict(rows, num_threads=1) for b in boosters]))
    assert np.array_equal(*together), "not LightGBM's answers"
    print(f"{len(boosters)} models, {len(forest._plan.leaves)} trees, {rows.shape[1]} columns")
    print("| one row, trees alone | median us | p99 us | least us | times ours |")
    ours = micros(lambda one: forest.predict(one, places), ones)
    show_single("Forest", ours, ours)
    by_booster = micros(lambda one: [b.predict(one, num_threads=1) for b in boosters], ones)
    show_single("Booster.predict", by_booster, ours)
    show_single("LightGBM's fast call", micros(lambda one: fast.predict(one[0]), ones), ours)
    calls = {
        "Forest": lambda: forest.predict(rows, places),
        "Booster.predict": lambda: [b.predict(rows, num_threads=1) for b in boosters],
    }
    if find_spec("onnxruntime") and find_spec("onnxmltools"):
        onnx, narrow = ByOnnx(boosters, rows.shape[1]), rows.astype(np.float32)
        narrows = [narrow[i : i + 1] for i in range(CALLS)]
        show_single("ONNX Runtime, float32", micros(onnx.predict, narrows), ours)
        calls["ONNX Runtime, float32"] = lambda: onnx.predict(narrow)
    print("| batch, trees alone | median rows/s | best |")
    for what, call in calls.items():
        show_batch(what, call, len(rows))


def main():
    """Print tables of single calls, batches and updates."""
    table = history(ROWS)
    past = History()
    x, known = past.replay(table), np.zeros(ROWS, dtype=bool)
    y = (table["ended_s"] - table["started_s"]).to_numpy()
    predictor = predictor_for("runtime_s", NAMES)
    predictor.learn(x, y, known)
    columns = [name for name in NAMES if ".memory_" not in name and "tag_" not in name]
    boosted = Boosted(columns, anchors=["user.ewma_log"], cap="limit_s", rounds=30)
    boosted.learn(x, y, known)
    trees(*usual())
    trees(boosted._texts, boosted._window.rows(x)[0])
    now_s = float(table["ended_s"].max()) + 1.0
    tasks = [
        Task(
            cluster="c", id=f"n{i}", user=f"user{i % 4}", name=f"tool{i % 2}", submitted_s=now_s,
            cpus_requested=2.0, limit_s=36e3, started_s=now_s, ended_s=now_s + 60.0,
            state="completed",
        )
        for i in range(CALLS)
    ]  # fmt: skip
    ones = [x.take(slice(i, i + 1)) for i in range(CALLS)]
    print("| one task | median us | p99 us | least us | |")
    show_single("features", micros(lambda task: past.look(task, now_s), tasks))
    show_single("trees as quantiles", micros(boosted.predict, ones))
    show_single("trees, mixture, interval", micros(predictor.predict, ones))
    all_of_it = micros(lambda task: predictor.predict(past.look(task, now_s)), tasks)
    show_single("features, trees, mixture, interval", all_of_it)
    print("| batch | median rows/s | best |")
    show_batch("features in replay", lambda: History().replay(table), ROWS)
    show_batch("trees as quantiles", lambda: boosted.predict(x), ROWS)
    show_batch("trees, mixture, interval", lambda: predictor.predict(x), ROWS)
    risk = predictor_for("failure", NAMES)
    risk.learn(x, np.arange(ROWS) % 4 // 3.0, known)
    show_batch("risk of failing", lambda: risk.predict(x), ROWS)
    print("| one task | median us | p99 us | least us | |")
    show_single("risk of failing", micros(risk.predict, ones[:500]))
    rows = [predictor.remember(past.submit(task)) for task in tasks]
    for task in tasks:
        past.start(task)
    calls = range(min(CALLS, predictor.rows_to_refit() - 1))
    print("| update after an outcome, no refit | median us | p99 us | least us | |")
    show_single("features", micros(past.end, tasks))
    show_single(
        "predictor", micros(lambda i: predictor.learn(rows[i], y[i : i + 1], known[:1]), calls)
    )


if __name__ == "__main__":
    main()
