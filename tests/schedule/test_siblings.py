import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulate.textbook import Textbook

from headway.errors import ConfigError
from headway.schedule.rules import Order
from headway.schedule.siblings import (
    KEPT,
    SAME_SHAPE,
    SAME_USER,
    SAME_WIDTH,
    STRENGTH,
    siblings_of,
)  # fmt: skip
from headway.simulate.kernel import simulate
from headway.simulate.workload import Workload


def made(submit, run, requested, procs, total):
    return Workload(
        submit_s=np.array(submit, float),
        runtime_s=np.array(run, float),
        requested_s=np.array(requested, float),
        procs=np.array(procs, np.int64),
        rows=np.arange(len(submit)),
        total_procs=total,
    )


class Belief:
    """What each waiting task believes of its log runtime, in plain Python."""

    def __init__(self, w, user, predicted_s):
        self.w, self.user = w, user
        self.prior = np.log(predicted_s)
        self.seen = {j: [0.0, 0.0] for j in range(len(w))}

    def worth(self, ended, j):
        w = self.w
        if self.user[ended] < 0 or self.user[ended] != self.user[j]:
            return 0.0
        if w.procs[ended] != w.procs[j]:
            return SAME_USER
        return SAME_SHAPE if w.requested_s[ended] == w.requested_s[j] else SAME_WIDTH

    def hear(self, ended, waiting):
        for j in waiting:
            worth = self.worth(ended, j)
            if worth:
                outcome = math.log(max(self.w.runtime_s[ended], 1.0))
                weight, total = self.seen[j]
                self.seen[j] = [KEPT * weight + worth, KEPT * total + worth * outcome]

    def key(self, j, _):
        weight, total = self.seen[j]
        moved = (STRENGTH * self.prior[j] + total) / (STRENGTH + weight) - self.prior[j]
        return self.prior[j] + moved


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 40))
def test_the_kernel_moves_waiting_tasks_as_the_textbook_does(seed, n):
    rng = np.random.default_rng(seed)
    w = made(
        np.cumsum(rng.integers(0, 6, n)), rng.integers(1, 60, n), rng.choice([30, 60], n),
        rng.integers(1, 5, n), 6,
    )  # fmt: skip
    user = rng.integers(-1, 2, n)
    predicted_s = rng.uniform(1.0, 60.0, n)
    siblings = siblings_of(user, w.procs, w.requested_s, predicted_s)
    order = Order(
        siblings.log_runtime.copy(), predicted_s, backfills_by_key=True, siblings=siblings
    )
    start_s = simulate(w, order, w.requested_s, backfill_s=predicted_s)
    belief = Belief(w, user, predicted_s)
    slow = Textbook(w, belief.key, True, w.requested_s, predicted_s, on_end=belief.hear)
    assert start_s.tolist() == slow.start_times().tolist()


def test_a_short_sibling_lets_the_others_go_first():
    # one processor; the second task of user 0 looks long until the first one ends after 1 s
    w = made([0, 0, 0], [1, 1, 20], [100, 100, 100], [1, 1, 1], 1)
    user, predicted_s = np.array([0, 0, 1]), np.array([1.0, 50.0, 40.0])
    siblings = siblings_of(user, w.procs, w.requested_s, predicted_s)
    order = Order(siblings.log_runtime, predicted_s, backfills_by_key=True, siblings=siblings)
    assert simulate(w, order, w.requested_s).tolist() == [0.0, 1.0, 2.0]
    alone = Order(siblings.log_runtime, predicted_s, backfills_by_key=True)
    assert simulate(w, alone, w.requested_s).tolist() == [0.0, 21.0, 1.0]


def test_siblings_need_an_order_that_may_change():
    w = made([0], [1], [1], [1], 1)
    siblings = siblings_of(np.array([0]), w.procs, w.requested_s, w.requested_s)
    order = Order(np.zeros(1), w.requested_s, backfills_by_key=False, siblings=siblings)
    with pytest.raises(ConfigError, match="siblings"):
        simulate(w, order, w.requested_s)
