"""Features know what had happened at the moment they are of, and nothing else."""

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.features import NAMES, History
from headway.features.history import _events
from headway.records import Task, task_fields
from headway.tables import frame

ENDS = ("completed", "failed", "timeout", "out_of_memory")


@st.composite
def histories(draw, least=1, most=14):
    """A few tasks of a few users within an hour, many at the same moments."""
    tasks = []
    for i in range(draw(st.integers(least, most))):
        submitted = float(draw(st.integers(0, 40)) * 60)
        wait = draw(st.sampled_from([None, 0, 60, 300, 900]))
        run = draw(st.sampled_from([None, 0, 59, 60, 600, 1800]))
        started = None if wait is None else submitted + wait
        ended = None if started is None or run is None else started + run
        tasks.append(
            Task(
                cluster="c", id=str(i), user=draw(st.sampled_from([None, "ann", "bob"])),
                name=draw(st.sampled_from([None, "sort1", "sort2", "fft"])),
                submitted_s=submitted, started_s=started, ended_s=ended,
                cpus_requested=draw(st.sampled_from([None, 1.0, 8.0])),
                limit_s=draw(st.sampled_from([None, 600.0, 3600.0])),
                memory_requested_bytes=draw(st.sampled_from([None, 10**9])),
                memory_peak_bytes=draw(st.sampled_from([None, 10**6, 10**8])),
                input_bytes=draw(st.sampled_from([None, 10**5])),
                state=draw(st.sampled_from(ENDS)) if ended is not None else "running",
            )
        )  # fmt: skip
    return tasks


def one_at_a_time(tasks):
    """The rows that serving gives when the events come one by one, and the state it ends in."""
    reader, history = History(), History()
    kinds, rows, _ = _events(reader._encoded(frame("task", tasks)), looks=False)
    values = np.empty((len(tasks), len(NAMES)))
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        if kind == 0:
            values[row] = history.submit(tasks[row]).values[0]
        elif kind == 2:
            history.start(tasks[row])
        else:
            history.end(tasks[row])
    return values, history


@settings(max_examples=60, deadline=None)
@given(histories())
def test_replay_and_serving_give_identical_rows(tasks):
    replayed = History().replay(frame("task", tasks))
    served, _ = one_at_a_time(tasks)
    codes = [i for i, name in enumerate(NAMES) if name not in replayed.keys]
    np.testing.assert_array_equal(replayed.values[:, codes], served[:, codes])


@settings(max_examples=60, deadline=None)
@given(histories(least=2), st.data())
def test_what_ends_later_changes_no_feature_before(tasks, data):
    changed = data.draw(st.integers(0, len(tasks) - 1))
    old = tasks[changed]
    fields = {name: getattr(old, name) for name in task_fields()}
    later = old.submitted_s + 10_000.0
    if data.draw(st.booleans()):  # its start stays, all that is known at its end changes
        later = np.inf if old.ended_s is None else old.ended_s
        if old.started_s is None:
            return
        fields |= {"ended_s": later + 5.0 if np.isfinite(later) else None}
    else:
        later = old.submitted_s if old.started_s is None else old.started_s
        fields |= {"started_s": later + 5.0, "ended_s": later + 9.0}
    fields |= {"memory_peak_bytes": 77, "state": "failed"}
    other = [Task(**fields) if i == changed else t for i, t in enumerate(tasks)]
    before = History().replay(frame("task", tasks))
    after = History().replay(frame("task", other))
    known = [i for i, t in enumerate(tasks) if t.submitted_s < later or i == changed]
    np.testing.assert_array_equal(before.values[known], after.values[known])


def test_an_end_at_exactly_the_moment_of_a_submission_is_known():
    first = Task(
        cluster="c", id="1", user="a", submitted_s=0.0, started_s=10.0, ended_s=60.0,
        state="completed",
    )  # fmt: skip
    second = Task(cluster="c", id="2", user="a", submitted_s=60.0)
    features = History().replay(frame("task", [first, second]))
    assert features.column("user.last_s")[1] == 50.0
    assert features.column("user.ended").tolist() == [0.0, 1.0]


def test_running_siblings_tell_how_long_they_have_run():
    tasks = [
        Task(cluster="c", id=str(i), user="a", submitted_s=0.0, started_s=10.0 * i)
        for i in range(3)
    ]
    tasks.append(Task(cluster="c", id="9", user="a", submitted_s=100.0))
    features = History().replay(frame("task", tasks))
    assert features.column("user.running")[3] == 3.0
    assert features.column("user.oldest_s")[3] == 100.0
    assert features.column("user.youngest_s")[3] == 80.0
    assert features.column("user.mean_elapsed_s")[3] == 90.0


def test_looking_changes_nothing_and_sees_what_a_submission_would_see():
    tasks = [
        Task(cluster="c", id="1", user="a", submitted_s=0.0, started_s=0.0, ended_s=9.0),
        Task(cluster="c", id="2", user="a", submitted_s=20.0),
    ]
    _, history = one_at_a_time(tasks[:1])
    looked = history.look(tasks[1], 20.0).values
    np.testing.assert_array_equal(looked, history.look(tasks[1], 20.0).values)
    np.testing.assert_array_equal(looked, history.submit(tasks[1]).values)


@settings(max_examples=15, deadline=None)
@given(histories(least=2))
def test_a_saved_history_goes_on_as_the_one_that_was_saved(tasks):
    _, history = one_at_a_time(tasks)
    other = History.load(history.save())
    new = Task(cluster="c", id="new", user="ann", name="sort3", submitted_s=9e3, limit_s=600.0)
    np.testing.assert_array_equal(history.submit(new).values, other.submit(new).values)


def test_replay_leaves_a_history_that_serves_on():
    tasks = [
        Task(cluster="c", id="1", user="a", submitted_s=0.0, started_s=0.0),
        Task(cluster="c", id="2", user="a", submitted_s=5.0),
    ]
    history = History()
    history.replay(frame("task", tasks))
    ended = Task(cluster="c", id="1", user="a", submitted_s=0.0, started_s=0.0, ended_s=50.0)
    history.end(ended)
    row = history.submit(Task(cluster="c", id="3", user="a", submitted_s=60.0))
    assert row.column("user.last_s")[0] == 50.0
    assert row.column("user.running")[0] == 0.0


@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one_task_can_be_described(n):
    tasks = [Task(cluster="c", id="1", submitted_s=0.0)][:n]
    features = History().replay(frame("task", tasks))
    assert features.values.shape == (n, len(NAMES))


def test_many_keys_make_room_for_themselves():
    n = 5000
    table = frame("task", [Task(cluster="c", id=str(i), submitted_s=float(i)) for i in range(n)])
    table = table.with_columns(
        user=pl.int_range(n).cast(pl.String), name=pl.format("job{}", pl.int_range(n))
    )
    features = History().replay(table)
    assert features.column("all.waiting").tolist() == list(range(n))
    assert features.column("user.waiting").max() == 0.0
    assert features.column("stem.waiting").tolist() == list(range(n))


def test_words_of_a_tag_are_codes_that_tasks_with_the_same_beginning_share():
    tags = ["FOXA1_VCaP_REP1", "FOXA1_VCaP_REP2", "AR.x", None, "__"]
    tasks = [Task(cluster="c", id=str(i), tag=tag, submitted_s=0.0) for i, tag in enumerate(tags)]
    x = History().replay(frame("task", tasks))
    codes = np.column_stack([x.column(f"tag_{i}") for i in (1, 2, 3)])
    assert codes[0, 1] == codes[1, 1] >= 0
    assert codes[0, 2] != codes[1, 2]
    assert codes[2, 0] not in codes[:2, 0]
    assert (codes[2, 2], *codes[3], *codes[4]) == (-1.0,) * 7


@settings(max_examples=25, deadline=None)
@given(histories(), st.lists(st.integers(0, 14), max_size=4))
def test_a_walk_in_parts_gives_the_rows_of_a_replay_in_the_order_of_ends(tasks, cuts):
    table = frame("task", tasks).sort("submitted_s", maintain_order=True)
    whole, walked = History(), History()
    expected = whole.replay(table)
    edges = sorted({0, table.height, *(min(cut, table.height) for cut in cuts)})
    parts = [table[a:b] for a, b in itertools.pairwise(edges)]
    found = list(walked.walk(parts))
    kinds, rows, _ = _events(History()._encoded(table), looks=False)
    ended = rows[kinds == 3]
    np.testing.assert_array_equal(
        np.concatenate([x.values for x, _ in found]), expected.values[ended]
    )
    assert [i for _, part in found for i in part["id"].to_list()] == table[ended]["id"].to_list()
    assert walked._open.keys() == whole._open.keys()
    for name in ("_slots", "_table", "_tickets", "_counters"):
        np.testing.assert_array_equal(getattr(walked, name), getattr(whole, name))
