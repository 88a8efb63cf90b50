"""Promised levels hold although the wrapped predictor is wrong and drifts."""

import numpy as np

from headway.predict import Conformal
from headway.predict.conformal import LEARN, SERVE
from headway.protocols import Features
from headway.records import Estimate

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


class Wrong:
    """Always the same narrow distribution around exp(6.5), whatever comes."""

    levels = LEVELS

    def predict(self, x):
        n = len(x)
        quantiles = np.tile(np.expm1(6.5 + 0.4 * np.array([-1.6, -0.7, 0.0, 0.7, 1.6])), (n, 1))
        return Estimate(
            value=quantiles[:, 2].copy(), levels=LEVELS, quantiles=quantiles,
            made_by=np.full(n, "wrong"), refused=np.full(n, ""),
        )  # fmt: skip

    def learn(self, x, y, censored):
        pass

    def rows_to_refit(self):
        return 2**62

    def save(self):
        return {}


def rows(n):
    return Features(("i",), np.arange(n, dtype=float)[:, None], (), np.arange(n, dtype=float), "1")


def test_a_promise_holds_while_the_world_drifts():
    # 20,000 independent outcomes: a share of 0.9 has a standard error of 0.002
    rng = np.random.default_rng(0)
    n = 20_000
    y = np.expm1(7.0 + np.sin(np.arange(n) / 2_000.0) + rng.normal(0.0, 0.5, n))
    kinds, order = np.tile([SERVE, LEARN], n), np.repeat(np.arange(n), 2)
    served = Conformal(Wrong()).follow(rows(n), kinds, order, y, np.zeros(n, dtype=bool))
    for low, high, promised in ((4, 6, 0.5), (3, 7, 0.8), (2, 8, 0.9), (1, 9, 0.95)):
        q = served.quantiles[1000:]
        came = np.mean((y[1000:] >= q[:, low]) & (y[1000:] <= q[:, high]))
        assert abs(came - promised) < 0.02


def test_following_events_is_serving_and_learning_one_by_one():
    rng = np.random.default_rng(1)
    n = 200
    y = np.exp(rng.normal(5.0, 1.0, n))
    kinds = np.array([SERVE] * n + [LEARN] * n)
    order = rng.permutation(2 * n)
    kinds, events, x = kinds[order], (order % n), rows(n)
    uncensored = np.zeros(n, dtype=bool)
    served = Conformal(Wrong()).follow(x, kinds, events, y, uncensored)
    one, described = Conformal(Wrong()), {}
    for kind, row in zip(kinds.tolist(), events.tolist(), strict=True):
        part = slice(row, row + 1)
        if kind == LEARN:
            one.learn(described.get(row, x.take(part)), y[part], uncensored[part])
        else:
            described[row] = one.remember(x.take(part))
            alone = one.predict(x.take(part)).quantiles[0]
            np.testing.assert_allclose(served.quantiles[row], alone)


def test_what_is_remembered_is_learned_alike_by_one_that_was_saved_since():
    rng, n = np.random.default_rng(2), 40
    y, uncensored = np.exp(rng.normal(5.0, 1.0, n)), np.zeros(n, dtype=bool)
    one, x = Conformal(Wrong()), rows(n)
    parts = [one.remember(x.take(slice(i, i + 1))) for i in range(n)]
    assert len({id(part.names) for part in parts}) == 1  # made once, not for each task
    other = Conformal.load(one.save(), Wrong())
    for predictor in (one, other):
        for i, part in enumerate(parts):
            predictor.learn(part, y[i : i + 1], uncensored[:1])
    np.testing.assert_array_equal(one.predict(x).quantiles, other.predict(x).quantiles)


def test_without_outcomes_the_word_of_the_wrapped_predictor_is_taken_with_caution():
    served = Conformal(Wrong(), levels=LEVELS.tolist()).predict(rows(3)).quantiles
    said = Wrong().predict(rows(3)).quantiles
    np.testing.assert_allclose(served[:, 2], said[:, 2], rtol=0.01)
    wider = np.log(served[:, 4] / served[:, 0]) / np.log(said[:, 4] / said[:, 0])
    assert np.all((wider > 1.2) & (wider < 1.4))


def test_groups_with_few_outcomes_follow_all_groups_together():
    # 1,000 outcomes of short tasks teach that the word is three times too narrow
    rng = np.random.default_rng(4)
    n = 1_000
    x = Features(("i",), np.full((n, 1), 4.0), (), np.arange(n, dtype=float), "1")
    y = np.expm1(4.0 + rng.normal(0.0, 0.4 * 3.0, n))
    shell = Conformal(Middle(), middles=(600.0,))
    shell.learn(x, y, np.zeros(n, dtype=bool))
    long = Features(("i",), np.array([[9.0]]), (), np.zeros(1), "1")
    low, high = np.log(shell.predict(long).quantiles[0, [2, 8]])
    assert high - low > 2.0 * 0.4 * 3.2


def test_a_promise_holds_where_outcomes_come_late():
    # 5,000 tasks in flight: a correction that ignored that would swing to covering 60 % for 50 %
    rng = np.random.default_rng(2)
    n, late = 20_000, 5_000
    y = np.expm1(7.0 + rng.normal(0.0, 0.5, n))
    x = Features(
        ("all.waiting", "all.running"), np.tile([late - 100.0, 100.0], (n, 1)), (),
        np.arange(n, dtype=float), "1",
    )  # fmt: skip
    at = np.concatenate([np.arange(n), np.arange(n) + late + 0.5])
    events = np.argsort(at, kind="stable")
    kinds, order = np.repeat([SERVE, LEARN], n)[events], np.tile(np.arange(n), 2)[events]
    served = Conformal(Wrong()).follow(x, kinds, order, y, np.zeros(n, dtype=bool))
    q = served.quantiles[late + 1000 :]
    for low, high, promised in ((4, 6, 0.5), (3, 7, 0.8), (2, 8, 0.9), (1, 9, 0.95)):
        came = np.mean((y[late + 1000 :] >= q[:, low]) & (y[late + 1000 :] <= q[:, high]))
        assert abs(came - promised) < 0.02


class Middle:
    """A middle per row (column i), always with the same narrow spread."""

    levels = LEVELS

    def predict(self, x):
        quantiles = np.expm1(x.values[:, :1] + 0.4 * np.array([-1.6, -0.7, 0.0, 0.7, 1.6]))
        answer = Wrong().predict(x)
        return Estimate(
            value=quantiles[:, 2], levels=LEVELS, quantiles=quantiles,
            made_by=answer.made_by, refused=answer.refused,
        )  # fmt: skip

    def learn(self, x, y, censored):
        pass

    def rows_to_refit(self):
        return 2**62

    def save(self):
        return {}


def test_short_and_long_tasks_are_each_covered_as_promised():
    # 2,000 judged a half: a share of 0.8 has a standard error of 0.009
    rng = np.random.default_rng(3)
    n = 6_000
    middle = np.tile([4.0, 9.0], n // 2)
    y = np.expm1(middle + rng.normal(0.0, 1.0, n) * np.tile([1.0, 0.1], n // 2))
    x = Features(("i",), middle[:, None], (), np.arange(n, dtype=float), "1")
    kinds, order = np.tile([SERVE, LEARN], n), np.repeat(np.arange(n), 2)
    shell = Conformal(Middle(), middles=(600.0,))
    q = shell.follow(x, kinds, order, y, np.zeros(n, dtype=bool)).quantiles
    for half in (0, 1):
        rows_judged = np.arange(2000 + half, n, 2)
        low, high = q[rows_judged, 3], q[rows_judged, 7]
        came = np.mean((y[rows_judged] >= low) & (y[rows_judged] <= high))
        assert abs(came - 0.8) < 0.03


def test_no_answer_goes_a_few_times_beyond_all_that_was_seen():
    # one outcome in ten is a thousand times longer than believed: offsets of 99 % run away
    rng = np.random.default_rng(5)
    n = 3_000
    y = np.expm1(6.5 + 7.0 * (rng.random(n) < 0.1))
    shell = Conformal(Wrong())
    shell.learn(rows(n), y, np.zeros(n, dtype=bool))
    assert shell.predict(rows(1)).quantiles[0, -1] < 6.0 * y.max()


def test_an_outcome_is_held_against_what_was_served_not_against_today():
    rng = np.random.default_rng(6)
    n = 400
    y = np.expm1(rng.normal(8.0, 0.5, n))
    fresh, taught = Conformal(Wrong()), Conformal(Wrong())
    taught.learn(rows(n), y, np.zeros(n, dtype=bool))
    early, late = fresh.remember(rows(1)), taught.remember(rows(1))
    assert early.names == late.names
    first = early.names.index("promised_0.995")
    assert late.values[0, first] > early.values[0, first]
    long = np.full(1, np.expm1(8.5))  # beyond what the fresh one served, within what is served now
    for described, offset in ((early, 1.0), (late, -1.0)):
        before = taught._offsets.copy()
        taught.learn(described, long, np.zeros(1, dtype=bool))
        assert np.sign((taught._offsets - before)[0, -1]) == offset
