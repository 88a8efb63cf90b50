import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.features import History
from headway.predict.sizing import RightSizer
from headway.predict.sizing.own import learn_own, roomy
from headway.predict.sizing.state import LEARNED, empty, window_of
from headway.records import Task
from headway.tables import frame

GB = 1e9
USERS = ("ann", "bob", None)


def a_task(k, **fields):
    known = {"cluster": "c", "id": str(k), "submitted_s": 1e6 + 600.0 * k, "cpus_requested": 2.0,
             "memory_requested_bytes": 32_000_000_000, "limit_s": 7200.0}  # fmt: skip
    return Task(**known | fields)


def ended(task, peak, runtime_s=600.0):
    fields = {name: getattr(task, name) for name in Task.__slots__}
    begun = task.submitted_s
    return Task(**fields | {"started_s": begun, "ended_s": begun + runtime_s, "state": "completed",
                            "memory_peak_bytes": int(peak)})  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    """A history and a sizer that have seen three users run tasks of the same two names."""
    rng = np.random.default_rng(0)
    tasks = [
        ended(
            a_task(k, user=USERS[k % 3], name=("align", "sort")[k % 2], queue="q"),
            2e9 * (1 + k % 3) * rng.lognormal(0.0, 0.05),
        )
        for k in range(300)
    ]
    history, sizer = History(), RightSizer()
    table = frame("task", tasks)
    x = history.replay(table)
    peak = table["memory_peak_bytes"].cast(float).to_numpy()
    n = len(x)
    kinds, rows = np.tile([0, 1], n), np.repeat(np.arange(n), 2)
    sizer.follow(x, np.full((n, 1), np.nan), kinds, rows, peak, np.full(n, 600.0))
    return history.save(), sizer.save()


def loaded(trained):
    history = History.load(trained[0])
    history.hold()
    return history, RightSizer.load(trained[1])


def teach(history, sizer, task, peak, runtime_s=600.0):
    x, one = history.look(task, task.submitted_s), np.array([1.0])
    given = sizer.size(x, np.full((1, 1), np.nan)).first
    learn_own(sizer, x, np.full((1, 1), np.nan), one * peak, one * runtime_s, given,
              np.array([False]))  # fmt: skip
    history.learn_own(ended(task, peak, runtime_s))


def answers(history, sizer, tasks, at_s=1e7):
    x = history.look_at(tasks, at_s)
    return x.values, sizer.size(x, np.full((len(tasks), 1), np.nan)).first


def test_a_user_whose_tasks_grew_is_given_more_after_a_few_outcomes(trained):
    history, sizer = loaded(trained)
    task = a_task(900, user="ann", name="align", queue="q")
    before = answers(history, sizer, [task])[1][0]
    for k in range(1000, 1012):
        teach(history, sizer, a_task(k, user="ann", name="align", queue="q"), 9e9)
    values, after = answers(history, sizer, [task])
    assert before < 4e9
    assert after[0] > 9e9
    names = history.look(task, 1e7).names
    assert values[0, names.index("user_name.memory_last_bytes")] == 9e9
    assert values[0, names.index("name.memory_last_bytes")] < 8e9


outcomes = st.lists(
    st.tuples(
        st.sampled_from(["align", "sort", "new", None, "x" * 50]),
        st.floats(1.0, 1e15), st.floats(0.0, 1e7), st.sampled_from([None, "q", "other"]),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(flood=outcomes, culprit=st.sampled_from([*USERS, "new user"]))
def test_nothing_that_one_user_sends_moves_another_users_answer(trained, flood, culprit):
    history, sizer = loaded(trained)
    others = [
        a_task(900 + k, user=user, name=name, queue="q", group="g", workflow=flow)
        for k, (user, name, flow) in enumerate(
            (user, name, flow)
            for user in (*USERS, "someone", "new user")
            for name in ("align", "sort", "new", None, "never")
            for flow in (None, "w")
            if user != culprit
        )
    ]
    values, sizes = answers(history, sizer, others)
    for k, (name, peak, runtime_s, queue) in enumerate(flood):
        task = a_task(2000 + k, user=culprit, name=name, queue=queue, workflow="w")
        teach(history, sizer, task, peak, runtime_s)
    values_after, sizes_after = answers(history, sizer, others)
    np.testing.assert_array_equal(values, values_after)
    np.testing.assert_array_equal(sizes, sizes_after)


def test_a_ring_that_has_gone_round_makes_room_without_losing_its_windows():
    state = empty(8, 1, 0.05)
    rng, capacity = np.random.default_rng(1), len(state.outcomes)
    state = state._replace(latest=np.full(3, -1), ended=np.zeros(3, dtype=np.int64))

    def put(state, key, value):
        number = int(state.counts[LEARNED])
        place = number % len(state.outcomes)
        state.outcomes[place, 0], state.before[place, 0] = value, state.latest[key]
        state.latest[key] = number
        state.ended[key] += 1
        state.counts[LEARNED] += 1

    for k in range(2 * capacity + 17):
        put(state, int(rng.integers(0, 2)) if k > 3 else 2, float(k))
    windows = [window_of(state, key, 0, True)[:, 0].tolist() for key in range(3)]
    grown = roomy(state, 100)
    assert [window_of(grown, key, 0, True)[:, 0].tolist() for key in range(3)] == windows
    assert windows[2] == []
    put(grown, 0, -1.0)
    assert window_of(grown, 0, 0, True)[0, 0] == -1.0
    assert window_of(grown, 1, 0, True)[:, 0].tolist() == windows[1]
