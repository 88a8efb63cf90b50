"""Every guess counts as much as it was worth before, and nothing counts before it was."""

import numpy as np
import pytest
from tests.predict.made_up import history, taught

from headway.features import NAMES, History
from headway.predict import Conformal, Ensemble
from headway.predict.conformal import LEARN, SERVE
from headway.predict.mixture import follow
from headway.records import Estimate
from headway.stats import min_max_accuracy
from headway.verify.replay import _order

LEVELS = np.array([0.05, 0.5, 0.95])
X, Y = taught()
UNCENSORED = np.zeros(len(Y), dtype=bool)


class Told:
    """Says a number for each row; asked again after `refit` outcomes."""

    levels = LEVELS

    def __init__(self, value, refit=70):
        self.value, self.refit, self.learned = dict(enumerate(value)), refit, 0
        self.number = {row.tobytes(): i for i, row in enumerate(X.values)}

    def predict(self, x):
        value = np.array([self.value[self.number[row.tobytes()]] for row in x.values])
        n = len(x)
        return Estimate(
            value=value, levels=LEVELS, quantiles=value[:, None] * np.array([0.9, 1.0, 1.1]),
            made_by=np.full(n, "told-1"), refused=np.full(n, ""),
        )  # fmt: skip

    def learn(self, x, y, censored):
        self.learned += len(y)

    def rows_to_refit(self):
        return self.refit - self.learned % self.refit

    def save(self):
        return {}


def events():
    return _order(X.at_s, history(), Y)[:2]


def error_of(ensemble):
    estimate, _ = ensemble.follow(X, *events(), Y, UNCENSORED)
    later = slice(100, None)
    accuracy = min_max_accuracy(Y[later], estimate.value[later]).mean()
    return 1.0 - accuracy, estimate.made_by[later]


def test_a_member_that_knows_is_trusted_and_signs():
    plain, _ = error_of(Ensemble([], NAMES))
    wise, signed = error_of(Ensemble([("told", Told(Y, refit=10**6))], NAMES))
    assert wise < 0.1 * plain
    assert np.mean(signed == "told-1") > 0.95


def test_a_member_that_knows_nothing_has_no_share():
    rng = np.random.default_rng(0)
    noise = np.exp(rng.uniform(0.0, 12.0, len(Y)))
    plain, _ = error_of(Ensemble([], NAMES))
    fooled, signed = error_of(Ensemble([("told", Told(noise, refit=10**6))], NAMES))
    assert fooled < plain + 0.01
    assert set(signed) == {"history-1"}


def test_the_value_is_at_least_as_near_as_the_last_runtime_of_the_user():
    error, _ = error_of(Ensemble([], NAMES))
    last = X.column("user.last_s")[100:]
    assert error < 1.0 - min_max_accuracy(Y[100:], last).mean()


def test_following_events_is_serving_and_learning_one_by_one():
    kinds, rows = events()
    served = Conformal(Ensemble([("told", Told(Y[::-1]))], NAMES), window=100)
    whole = served.follow(X, kinds, rows, Y, UNCENSORED)
    one = Conformal(Ensemble([("told", Told(Y[::-1]))], NAMES), window=100)
    described = {}
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        x = X.take(slice(row, row + 1))
        if kind == LEARN:
            one.learn(described[row], Y[row : row + 1], UNCENSORED[:1])
            continue
        described[row] = one.remember(x)
        alone = one.predict(x)
        np.testing.assert_allclose(whole.quantiles[row], alone.quantiles[0])
        np.testing.assert_allclose(whole.value[row], alone.value[0])


def test_without_history_a_share_of_the_request_is_believed():
    x = History().replay(history(1))
    estimate = Ensemble([], NAMES).predict(x)
    assert estimate.refused[0] == ""
    assert 0.0 < estimate.value[0] <= 36_000.0
    assert estimate.quantiles[0, -1] >= 36_000.0


def test_without_history_and_request_nothing_is_said():
    table = history(1).with_columns(limit_s=None)
    estimate = Ensemble([], NAMES).predict(History().replay(table))
    assert estimate.refused[0] == "neither history nor a request to go by"
    assert np.isnan(estimate.value[0])


def test_no_value_exceeds_the_limit():
    kinds, rows = events()
    estimate, _ = Ensemble([], NAMES).follow(X, kinds, rows, Y, UNCENSORED)
    assert np.all(estimate.value <= X.column("limit_s") + 1e-3)


def test_a_kind_of_task_with_few_outcomes_is_uncertain():
    ensemble = Ensemble([], NAMES)
    known = X.take(slice(399, 400))
    first = ensemble.predict(known).quantiles[0]
    ensemble.learn(X.take(slice(0, 300)), Y[:300], UNCENSORED[:300])
    later = ensemble.predict(known).quantiles[0]
    assert later[-1] - later[0] < 0.1 * (first[-1] - first[0])


def test_what_was_saved_answers_and_learns_the_same():
    first = Ensemble([], NAMES)
    first.learn(X.take(slice(0, 300)), Y[:300], UNCENSORED[:300])
    second = Ensemble.load(first.save(), [])
    rest = X.take(slice(300, 400))
    for _ in range(2):
        np.testing.assert_array_equal(first.predict(rest).quantiles, second.predict(rest).quantiles)
        first.learn(rest, Y[300:], UNCENSORED[300:])
        second.learn(rest, Y[300:], UNCENSORED[300:])


def mixture(guesses, log_y, bounds=None, ways=(0, 0, 0), lasting=(0.0, 0.0, 0.0, 0.0), level=0.5):
    """Learn rows one after another, then serve the last; its quantile, the counts, leader, value.

    ways: where guesses far from history and those of tasks that last begin; lasting: see `past`.
    """
    n, k = guesses.shape
    kinds, rows = np.array([LEARN] * n + [SERVE]), np.array([*range(n), n - 1])
    sums, totals = np.zeros((2, k), dtype=np.float32), np.zeros(2)
    out = [np.full(n, np.nan), np.full((n, 1), np.nan), np.full((n, 1), np.nan), np.full(n, -1)]
    bounds = np.zeros(n, dtype=bool) if bounds is None else bounds
    slots = np.tile([0, 1], (n, 1))
    follow(
        kinds, rows, np.expm1(log_y), bounds, guesses, np.arange(k), np.array(ways),
        np.tile(lasting, (n, 1)), slots, sums, totals, np.ones(2), np.full(2, 0.99),
        np.ones(2), np.zeros(2), np.array([level]), *out,
    )  # fmt: skip
    return np.log1p(out[1][-1, 0]), sums[0], out[3][-1], out[0][-1]


def test_the_guess_that_was_right_gets_the_responsibility():
    guesses = np.tile([2.0, 5.0, 9.0], (50, 1))
    middle, sums, leader, _ = mixture(guesses, np.full(50, 5.0))
    assert middle == pytest.approx(5.0, abs=0.05)
    assert sums[1] > 0.99 * sums.sum()
    assert leader == 1


def test_a_guess_that_is_silent_is_neither_blamed_nor_asked():
    guesses = np.tile([2.0, np.nan, 9.0], (50, 1))
    middle, sums, *_ = mixture(guesses, np.full(50, 2.0))
    assert middle == pytest.approx(2.0, abs=0.1)
    assert sums[1] == 0.0


def test_a_lower_bound_speaks_against_the_guesses_below_it_only():
    guesses = np.tile([2.0, 5.0, 9.0], (50, 1))
    _, sums, *_ = mixture(guesses, np.full(50, 4.0), np.ones(50, dtype=bool))
    assert sums[0] < 0.01 * sums.sum()
    assert sums[1] == pytest.approx(sums[2], rel=0.01)


def test_an_outcome_that_is_not_known_changes_nothing():
    _, sums, *_ = mixture(np.tile([2.0, 5.0], (3, 1)), np.full(3, np.nan))
    assert not sums.any()


def test_a_guess_far_from_history_widens_the_quantiles_but_is_never_the_value():
    guesses = np.tile([5.0, 9.0], (50, 1))
    log_y = np.full(50, 9.0)  # the far guess is always right
    assert mixture(guesses, log_y)[3] == pytest.approx(np.expm1(9.0), rel=1e-3)
    middle, _, _, value = mixture(guesses, log_y, ways=(1, 2, 2))
    assert middle > 8.5
    assert value == pytest.approx(np.expm1(5.0), rel=1e-3)


def test_tasks_that_outlast_all_that_ended_lengthen_the_next_one():
    # 4 ended after e^5 s; 12 of the kind run, for e^7 s by now
    beyond = [7.18, 7.69, 8.79] * 2
    guesses, log_y = np.tile([5.0, *beyond], (4, 1)), np.full(4, 5.0)
    few = mixture(guesses, log_y, ways=(1, 1, 7))
    many = mixture(guesses, log_y, ways=(1, 1, 7), lasting=(4.0, 12.0, np.exp(7.0), np.exp(7.0)))
    assert few[0] == pytest.approx(5.0, abs=0.1)
    assert many[0] > 7.0
    assert many[3] > np.exp(7.0)
    assert many[1][1:].sum() == 0.0  # nothing is learned of how much longer they will last


def test_tasks_that_run_for_less_than_others_took_change_little():
    guesses, log_y = np.tile([5.0] + [2.2, 2.7, 3.8] * 2, (8, 1)), np.full(8, 5.0)
    middle, *_ = mixture(guesses, log_y, ways=(1, 1, 7), lasting=(8.0, 12.0, 8.0, 8.0))
    assert middle == pytest.approx(5.0, abs=0.3)


def test_equal_guesses_count_as_one():
    # shares 2/3 and 1/3: the level 2/3 lies between their middles, 1/3 and 5/6
    one = np.array([[5.0, 5.0, 9.0]])
    nothing = np.full(1, np.nan)
    served = [mixture(one[:, order], nothing, level=2 / 3)[0] for order in ([0, 1, 2], [2, 0, 1])]
    widened = np.log(2.0) / 1.7  # no outcome yet
    assert served[0] == pytest.approx(5.0 + 4.0 * (1 / 3) / 0.5 + widened)
    assert served[1] == pytest.approx(served[0], rel=1e-12)


def test_one_row_is_served_as_in_a_batch():
    ensemble = Ensemble([], NAMES)
    ensemble.learn(X.take(slice(0, 300)), Y[:300], UNCENSORED[:300])
    rest = X.take(slice(300, 400))
    together = ensemble.predict(rest)
    for i in range(len(rest)):
        alone = ensemble.predict(rest.take(slice(i, i + 1)))
        np.testing.assert_array_equal(alone.quantiles[0], together.quantiles[i])
        assert alone.value[0] == together.value[i]
