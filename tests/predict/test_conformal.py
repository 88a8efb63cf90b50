"""Promised levels hold although the wrapped predictor is wrong and drifts."""

import numpy as np

from headway.predict import Conformal
from headway.predict.conformal import LEARN, SERVE
from headway.protocols import Features
from headway.records import Estimate

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


class Wrong:
    """Always the same narrow distribution around exp(6.5), whatever comes."""

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
    one = Conformal(Wrong())
    for kind, row in zip(kinds.tolist(), events.tolist(), strict=True):
        part = slice(row, row + 1)
        if kind == LEARN:
            one.learn(x.take(part), y[part], uncensored[part])
        else:
            alone = one.predict(x.take(part)).quantiles[0]
            np.testing.assert_allclose(served.quantiles[row], alone)


def test_without_outcomes_the_word_of_the_wrapped_predictor_is_passed_on():
    served = Conformal(Wrong(), levels=LEVELS.tolist()).predict(rows(3))
    np.testing.assert_allclose(served.quantiles, Wrong().predict(rows(3)).quantiles, rtol=0.01)
