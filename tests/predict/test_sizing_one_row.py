"""One task is given what `size` gives it, also after the sizer has learned more."""

import numpy as np
import pytest

from headway.features import History
from headway.predict.sizing import RightSizer
from headway.predict.sizing.one_row import give
from headway.predict.sizing.own import learn_own
from headway.records import Task
from headway.tables import frame

RNG = np.random.default_rng(1)


def a_task(k, **fields):
    """One of three users' tasks of six names, whose memory grows with the input of some."""
    known = {
        "cluster": "c", "id": str(k), "user": f"u{k % 3}", "name": f"step{k % 6}",
        "workflow": (None, "w")[k % 2], "tag": (None, "a_b", "a_c")[k % 3],
        "cpus_requested": 2.0, "limit_s": 7200.0, "submitted_s": 1e6 + 300.0 * k,
        "memory_requested_bytes": (8 * 10**9, 16 * 10**9, None)[k % 5 % 3],
        "input_bytes": (None, 10**9 + k * 10**7)[k % 6 // 3],
    }  # fmt: skip
    return Task(**known | fields)


def ended(k):
    peak = 1e9 * (1 + k % 6) * (1.0 + (k % 6 // 3) * k / 100.0) * RNG.lognormal(0.0, 0.1)
    at = 1e6 + 300.0 * k
    return a_task(
        k, started_s=at, ended_s=at + 250.0, state="completed", memory_peak_bytes=int(peak)
    )


ASKED = [
    *(a_task(k, id="new", submitted_s=1e7) for k in range(30)),
    *(a_task(k, name=f"unseen{k}", user="stranger") for k in range(4)),
    *(a_task(k, name=None, user=None, workflow=None) for k in range(6)),
    a_task(0, memory_requested_bytes=None, name="unseen"),
    a_task(0, memory_requested_bytes=0, input_bytes=0),
    Task(cluster="", id="", submitted_s=1e7),
]


@pytest.mark.parametrize("believed", [2.5e9, 5.0, np.nan])
def test_a_task_is_given_what_size_gives_it(believed):
    history, sizer = History(), RightSizer()
    table = frame("task", [ended(k) for k in range(240)])
    x = history.replay(table)
    peak = table["memory_peak_bytes"].cast(float).to_numpy()
    beliefs = peak[:, None] * RNG.lognormal(0.0, 0.02, (240, 1))
    laws = set()
    for begin, end in ((0, 0), (0, 1), (1, 60), (60, 240)):
        n = end - begin
        kinds, rows = np.tile([0, 1], n), np.repeat(np.arange(n), 2)
        part = slice(begin, end)
        sizer.follow(
            x.take(part), beliefs[part], kinds, rows, peak[part], np.full(n, 250.0)
        )  # fmt: skip
        laws |= laws_given_alike(history, sizer, believed)
    learn_own(
        sizer, x.take(slice(0, 9)), beliefs[:9], 3.0 * peak[:9], np.full(9, 250.0),
        peak[:9], np.zeros(9, dtype=bool),
    )  # fmt: skip
    laws |= laws_given_alike(history, sizer, believed)
    assert len(laws) > 5, laws


def laws_given_alike(history, sizer, believed):
    known, laws = (len(sizer._keys), len(sizer._groups)), set()
    for task in ASKED:
        x = history.look(task, 1e7)
        sizes = sizer.size(x, np.array([[believed]]))
        given, made_by = give(sizer, x, believed)
        assert np.array_equal(given, sizes.first[0], equal_nan=True)
        assert made_by == sizes.made_by[0]
        laws.add(made_by)
    assert (len(sizer._keys), len(sizer._groups)) == known
    return laws
