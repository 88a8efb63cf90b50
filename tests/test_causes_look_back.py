"""The ranked causes of an alert are what was known when it was raised: nothing later moves them."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.alerts import iso, kept, store_of
from headway.detecting import detect_file
from headway.records import MEASURED, Task, as_row
from headway.store import DeltaStore
from headway.tables import frame
from headway.watching import follow

STEP_S, HOUR_S, DAY_S = 300.0, 3600.0, 86400.0
BEGIN_S = 1_700_000_000.0
KNOWN = 140  # points of series before what comes later

value = st.floats(-1e4, 1e4) | st.just(float("nan")) | st.floats(45.0, 55.0)
later = st.lists(st.tuples(st.integers(1, 3), value, value), min_size=8, max_size=40)


def said(alerts):
    """What is said of each alert when it is raised."""
    return {
        a.alert_id: (
            a.causes, a.since_s, a.severity, a.value, a.expected_low, a.expected_high, a.subject
        )
        for a in alerts
    }  # fmt: skip


def series_alerts(folder, rows):
    path = Path(folder, "load.csv")
    lines = [f"{iso(at_s)},{a:.4f},{b:.4f}" for at_s, a, b in rows]
    path.write_text("\n".join(["time,cpu,disk", *lines]) + "\n")
    found = detect_file(
        path, detectors=("shewhart", "ewma", "peers"), with_alerts=True,
        progress=lambda *_: None,
    )  # fmt: skip
    return [alert for one in found for alert in one.alerts]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), later=later, odd=st.integers(KNOWN - 4, KNOWN - 1))
def test_later_points_change_no_cause_of_an_alert_about_a_series(seed, later, odd):
    y = np.random.default_rng(seed).uniform(46.0, 54.0, (KNOWN, 2))
    y[odd:, 0] += 25.0  # an incident that is still on when the known part ends
    y[70, 1] = 90.0
    rows = [(BEGIN_S + STEP_S * t, *pair) for t, pair in enumerate(y)]
    more, at_s = [], rows[-1][0]
    for steps, a, b in later:
        at_s += STEP_S * steps
        more.append((at_s, a, b))
    with tempfile.TemporaryDirectory() as folder:
        before = series_alerts(folder, rows)
        after = series_alerts(folder, rows + more)
    assert any(alert.causes and alert.ended_s is None for alert in before)
    assert said(before) == said(a for a in after if a.at_s <= rows[-1][0])


def usual_tasks():
    """Five weeks of tasks of an hour give or take; one of the last hangs for ten days."""
    rng = np.random.default_rng(0)
    for n in range(35 * 8):
        start_s = 3 * HOUR_S * n
        runtime_s = HOUR_S * float(np.exp(0.1 * rng.standard_normal()))
        yield made(n, start_s, 10 * DAY_S if n == 33 * 8 else runtime_s, node=f"n{n % 3}")


def made(number, start_s, runtime_s, node="n0", state="completed", peak=10**9):
    return Task(
        cluster="c", id=str(number), user="ann", name="align", submitted_s=start_s,
        started_s=start_s, ended_s=start_s + runtime_s, state=state, node=node,
        memory_peak_bytes=peak, cpus_allocated=1.0,
    )  # fmt: skip


USUAL = list(usual_tasks())
drawn = st.tuples(
    st.floats(0.0, 4.0), st.floats(10.0, 4 * DAY_S), st.sampled_from(["n0", "n1", "n2"]),
    st.sampled_from(["completed", "failed", "out_of_memory", "timeout"]),
    st.sampled_from([10**9, 40 * 10**9]),
)  # fmt: skip


def as_of(task, at_s):
    """A task as a log knew it at a moment: while it runs, nothing that its run gives."""
    if task.ended_s <= at_s:
        return task
    return replace(task, **dict.fromkeys(MEASURED), state="running")


def task_alerts(folder, tasks):
    home = Path(folder)
    DeltaStore(str(home / "log")).append("task", [frame("task", [as_row(t) for t in tasks])])
    follow(None, home).poll(0.0)
    return kept(store_of(home))


@settings(max_examples=12, deadline=None)
@given(tasks=st.lists(drawn, min_size=1, max_size=20), cut_days=st.floats(0.1, 4.0))
def test_later_tasks_change_no_cause_of_an_alert_about_a_task(tasks, cut_days):
    end_s = 35 * DAY_S
    more = [made(f"x{i}", end_s + d * DAY_S, *rest) for i, (d, *rest) in enumerate(tasks)]
    cut_s = end_s + cut_days * DAY_S
    known = [as_of(t, cut_s) for t in [*USUAL, *more] if t.submitted_s <= cut_s]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        before, after = said(task_alerts(folder, known)), said(task_alerts(other, [*USUAL, *more]))
    assert any(causes and subject == str(33 * 8) for causes, *_, subject in before.values())
    assert before == {alert_id: after.get(alert_id) for alert_id in before}
