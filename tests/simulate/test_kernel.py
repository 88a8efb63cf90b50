import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulate.textbook import Textbook

from headway.errors import ConfigError
from headway.schedule.rules import RULES, Order, key_of, order_by
from headway.simulate.kernel import simulate
from headway.simulate.metrics import metrics
from headway.simulate.workload import Workload


def workload(submit, run, requested, procs, total):
    n = len(submit)
    return Workload(
        submit_s=np.array(submit, float),
        runtime_s=np.array(run, float),
        requested_s=np.array(requested, float),
        procs=np.array(procs, np.int64),
        rows=np.arange(n),
        total_procs=total,
    )


def first_come(w):
    return order_by(RULES["fcfs"], w.requested_s, w.procs, w.submit_s)


@st.composite
def workloads(draw):
    total = draw(st.integers(1, 12))
    task = st.tuples(
        st.integers(0, 6), st.integers(1, 30), st.integers(1, 40), st.integers(1, total)
    )
    gap, run, asked, procs = zip(*draw(st.lists(task, min_size=1, max_size=40)), strict=True)
    return workload(np.cumsum(gap), run, asked, procs, total)


@settings(deadline=None, max_examples=150)
@given(
    w=workloads(),
    name=st.sampled_from(list(RULES)),
    kinds=st.tuples(*[st.sampled_from(["requested", "true", "guess"])] * 3),
    backfills=st.booleans(),
    grows=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_fast_kernel_is_the_slow_textbook(w, name, kinds, backfills, grows, seed):
    guess_s = np.random.default_rng(seed).integers(1, 40, len(w)).astype(float)
    known = {"requested": w.requested_s, "true": w.runtime_s, "guess": guess_s}
    order_s, reserve_s, backfill_s = (known[kind] for kind in kinds)
    rule = RULES[name]
    start_s = simulate(
        w,
        order_by(rule, order_s, w.procs, w.submit_s),
        reserve_s,
        backfill_s=backfill_s,
        backfill="easy" if backfills else "none",
        correction="steps" if grows else "second",
    )

    def key_at(j, wait_s):
        return key_of(rule.number, order_s[j], float(w.procs[j]), w.submit_s[j], wait_s)

    slow = Textbook(w, key_at, rule.backfills_by_key, reserve_s, backfill_s, grows)
    assert start_s.tolist() == slow.start_times(backfills).tolist()


@settings(deadline=None, max_examples=50)
@given(w=workloads(), by_key=st.booleans(), seed=st.integers(0, 99))
def test_any_keys_order_a_queue_as_in_the_textbook(w, by_key, seed):
    key = np.random.default_rng(seed).integers(0, 5, len(w)).astype(float)
    order = Order(key, w.requested_s, backfills_by_key=by_key)
    start_s = simulate(w, order, w.requested_s)
    slow = Textbook(w, lambda j, _: key[j], by_key, w.requested_s, w.requested_s)
    assert start_s.tolist() == slow.start_times().tolist()


@settings(deadline=None, max_examples=50)
@given(
    w=workloads(),
    name=st.sampled_from(list(RULES)),
    backfill=st.sampled_from(["easy", "none", "reserve", "commit"]),
)
def test_no_task_starts_early_and_no_processor_is_used_twice(w, name, backfill):
    order = order_by(RULES[name], w.requested_s, w.procs, w.submit_s)
    start_s = simulate(w, order, w.requested_s, backfill=backfill)
    assert (start_s >= w.submit_s).all()
    for at_s in start_s:
        runs = (start_s <= at_s) & (at_s < start_s + w.runtime_s)
        assert w.procs[runs].sum() <= w.total_procs


def test_a_short_task_goes_before_a_wide_one_that_must_wait():
    w = workload([0, 1, 2, 3], [10, 10, 5, 50], [10, 10, 5, 50], [3, 4, 1, 1], 4)
    assert simulate(w, first_come(w), w.requested_s).tolist() == [0.0, 10.0, 2.0, 20.0]


def test_without_backfilling_only_heads_start():
    w = workload([0, 1, 2, 3], [10, 10, 5, 50], [10, 10, 5, 50], [3, 4, 1, 1], 4)
    start_s = simulate(w, first_come(w), w.requested_s, backfill="none")
    assert start_s.tolist() == [0.0, 10.0, 20.0, 20.0]


def test_a_task_that_outlived_its_estimate_is_expected_any_second():
    # at 6 the first task (estimate 5) is believed to end at 7: nothing of 2 s may go before
    w = workload([0, 1, 6], [20, 5, 2], [5, 5, 2], [3, 4, 1], 4)
    assert simulate(w, first_come(w), w.requested_s).tolist() == [0.0, 20.0, 25.0]


def test_a_grown_estimate_lets_tasks_pass_up_to_the_limit():
    w = workload([0, 1, 6], [20, 5, 2], [60, 5, 2], [3, 4, 1], 4)
    believed_s = np.array([5.0, 5.0, 2.0])
    start_s = simulate(w, first_come(w), believed_s, correction="steps")
    assert start_s.tolist() == [0.0, 20.0, 6.0]


def test_the_same_workload_gives_the_same_schedule_again():
    rng = np.random.default_rng(7)
    run = rng.integers(1, 50, 200)
    w = workload(np.sort(rng.integers(0, 900, 200)), run, run, rng.integers(1, 8, 200), 8)
    first = simulate(w, first_come(w), w.requested_s)
    assert first.tolist() == simulate(w, first_come(w), w.requested_s).tolist()


def test_metrics_of_a_schedule_are_what_they_say():
    w = workload([0, 0], [10, 100], [10, 100], [4, 4], 4)
    found = metrics(w, np.array([0.0, 10.0]))
    assert found["mean_bounded_slowdown"] == pytest.approx((1 + 1.1) / 2)
    assert found["mean_wait_s"] == 5.0
    assert found["mean_turnaround_s"] == 60.0
    assert found["utilisation"] == 1.0
    assert found["makespan_s"] == 110.0
    assert found["core_hours"] == pytest.approx(440 / 3600)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"backfill": "lazy"}, "got lazy"), ({"correction": "hope"}, "got hope")],
)
def test_a_wrong_setting_is_refused_by_name(settings, said):
    w = workload([0], [1], [1], [1], 1)
    with pytest.raises(ConfigError, match=said):
        simulate(w, first_come(w), w.requested_s, **settings)


def test_an_estimate_that_is_not_known_is_refused():
    w = workload([0, 1], [1, 1], [1, 1], [1, 1], 1)
    with pytest.raises(ConfigError, match="reserve_s must be 2 numbers"):
        simulate(w, first_come(w), np.array([1.0, np.nan]))
