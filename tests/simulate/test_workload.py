import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.records import Task, as_row
from headway.simulate.workload import workload_from
from headway.tables import frame


def table(*rows):
    """Tasks of (submitted, started, ended, requested, allocated, limit, state)."""
    names = ("submitted_s", "started_s", "ended_s", "cpus_requested", "cpus_allocated", "limit_s")
    tasks = [
        Task(cluster="c", id=str(i), state=row[6], **dict(zip(names, row, strict=False)))
        for i, row in enumerate(rows)
    ]
    return frame("task", [as_row(task) for task in tasks])


def test_a_task_takes_the_larger_of_what_it_asked_for_and_got():
    w = workload_from(
        table((9.0, 9.0, 19.0, 4.0, 8.0, 60.0, "completed"), (3.0, 4.0, 9.0, 2.0, 1.0, None, "")),
        3.0,
        8,
    )
    assert w.procs.tolist() == [2, 8]
    assert w.submit_s.tolist() == [0.0, 6.0]
    assert w.runtime_s.tolist() == [5.0, 10.0]
    assert w.requested_s.tolist() == [5.0, 60.0]  # not known: the true runtime
    assert w.rows.tolist() == [1, 0]


def test_what_cannot_be_simulated_is_left_out_and_counted():
    w = workload_from(
        table(
            (0.0, 1.0, 2.0, 1.0, None, 5.0, "completed"),
            (0.0, 1.0, 1.0, 1.0, None, 5.0, "failed"),  # ran 0 s
            (0.0, 1.0, None, 1.0, None, 5.0, "running"),
            (0.0, None, None, 1.0, None, 5.0, "pending"),
            (0.0, 1.0, None, 1.0, None, 5.0, "unknown"),  # counts as 10 s
            (0.0, 1.0, 2.0, None, None, 5.0, "completed"),
            (0.0, 1.0, 2.0, 9.0, None, 5.0, "completed"),
        ),
        0.0,
        8,
    )
    assert w.rows.tolist() == [0, 4]
    assert w.runtime_s.tolist() == [1.0, 10.0]
    assert (w.without_runtime, w.without_procs, w.too_wide, w.assumed_runtime) == (3, 1, 1, 1)


def test_nothing_to_simulate_is_said():
    with pytest.raises(NotEnoughData, match="nothing to simulate"):
        workload_from(table((0.0, None, None, 1.0, 1.0, 5.0, "pending")), 0.0, 8)


def test_a_part_beyond_the_end_is_refused():
    w = workload_from(table((0.0, 1.0, 2.0, 1.0, 1.0, 5.0, "completed")), 0.0, 8)
    assert len(w.part(0, 1)) == 1
    with pytest.raises(ConfigError, match=r"tasks of 0..0, got 0 and 2"):
        w.part(0, 2)
