"""How long does one prediction take? Trees alone, with calibration, and with features.

python benchmarks/prediction_speed.py
"""

import sys
import time
from pathlib import Path

import numpy as np

from headway.features import NAMES, History
from headway.predict import Boosted, predictor_for
from headway.predict.single_row import SingleRow
from headway.records import Task

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "predict"))
from made_up import history

REPEATS, RUNS = 2000, 5


def micros(call):
    """Microseconds a call, the median of several runs."""
    took = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        for i in range(REPEATS):
            call(i)
        took.append((time.perf_counter() - begin) / REPEATS * 1e6)
    return f"{np.median(took):.1f} ({min(took):.1f} to {max(took):.1f})"


def main():
    """Print one line a question."""
    table = history(8000)
    past = History()
    x = past.replay(table)
    y = (table["ended_s"] - table["started_s"]).to_numpy()
    predictor = predictor_for("runtime_s", NAMES)
    predictor.learn(x, y, np.zeros(len(y), dtype=bool))
    columns = [name for name in NAMES if ".memory_" not in name]
    boosted = Boosted(columns, anchors=["user.ewma_log"], cap="limit_s")
    boosted.learn(x, y, np.zeros(len(y), dtype=bool))
    boosters = [booster for both in boosted._boosters for booster in both]
    rows = boosted._window.rows(x)[0]
    ones = [x.take(slice(i, i + 1)) for i in range(REPEATS)]
    tasks = [
        Task(cluster="c", id=f"n{i}", user=f"user{i % 4}", name="tool1", submitted_s=1e9 + i)
        for i in range(REPEATS)
    ]

    def by_booster(i):
        return [booster.predict(rows[i : i + 1], num_threads=1) for booster in boosters]

    single = SingleRow(boosters, rows.shape[1])
    print("trees, models:", len(boosters), "columns:", rows.shape[1])
    print("Booster.predict, all models, us:", micros(by_booster))
    print("single-row fast call, all models, us:", micros(lambda i: single.predict(rows[i])))
    print("boosted, one row, us:", micros(lambda i: boosted.predict(ones[i])))
    print(
        "served (trees, calibration, 11 levels), us:", micros(lambda i: predictor.predict(ones[i]))
    )
    print("features of one task, us:", micros(lambda i: past.look(tasks[i], 1e9)))
    print("features and served, us:", micros(lambda i: predictor.predict(past.look(tasks[i], 1e9))))
    begin = time.perf_counter()
    predictor.predict(x)
    print("in one batch, rows/s:", round(len(x) / (time.perf_counter() - begin)))
    begin = time.perf_counter()
    History().replay(table)
    print("features in replay, rows/s:", round(len(table) / (time.perf_counter() - begin)))


if __name__ == "__main__":
    main()
