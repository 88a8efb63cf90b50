"""Counting failures by kind: shrunk towards the coarser kind, and as of any moment."""

import numpy as np
from tests.predict.made_up import taught

from headway.predict.calibration import LEARN, SERVE
from headway.predict.counts import MEMORIES
from headway.predict.shares import LEVELS, WIDTH, Shares, finest
from headway.protocols import Features

X, _ = taught(60)


def counted(y, into=None):
    """Shares that learned outcomes y of the first rows, or as many of the only row."""
    shares, n = into or Shares(), len(y)
    events = np.full(n, LEARN), np.arange(n) % len(X), np.full(n, np.inf)
    shares.follow(X, *events, np.array(y, dtype=float))
    return shares


def described(shares, row, clock=np.inf, x=X):
    """What shares say of one row."""
    event = np.array([SERVE]), np.array([row]), np.array([clock])
    return shares.follow(x, *event, np.zeros(1))[0]


def test_a_task_gets_a_share_and_a_weight_for_each_level_and_memory():
    told = described(counted([1.0, 0.0]), 2)
    assert len(told) == WIDTH == 2 * len(LEVELS) * len(MEMORIES)
    assert all(0.0 < share < 1.0 for share in told[: WIDTH // 2])
    assert finest(told[None]).shape == (1, len(MEMORIES))


def test_a_kind_never_seen_has_the_share_of_the_coarser_level():
    values = X.values.copy()
    values[0, X.names.index("queue")] = 77.0
    never = Features(X.names, values, X.keys, X.at_s, X.version)
    queue = list(LEVELS).index("queue") * len(MEMORIES)
    told = described(counted([1.0, 1.0, 0.0]), 0, x=never)
    assert told[queue] == told[0]


def test_the_mean_of_all_tasks_is_that_of_a_beta_posterior():
    told = described(counted([1.0, 0.0, 0.0]), 5)
    assert np.isclose(told[0], (1.0 + 4.0 * 0.1) / (3.0 + 4.0))


def test_many_failures_of_a_kind_are_believed_more_than_few():
    few, many = described(counted([1.0] * 2), 0), described(counted([1.0] * 40), 0)
    assert all(many[: WIDTH // 2] > few[: WIDTH // 2])


def test_the_shortest_memory_follows_a_change_first():
    told = finest(described(counted([0.0] * 30 + [1.0] * 10), 0)[None])[0]
    assert told[0] < told[1] < told[2]


def test_the_past_is_described_as_it_was():
    y = np.tile([1.0, 0.0, 0.0], 15)
    whole = counted(y)
    for clock in (0, 1, 7, 44, 45):
        before = described(counted(y[:clock]), 50)
        np.testing.assert_array_equal(described(whole, 50, float(clock)), before)


def test_of_thousands_of_outcomes_of_a_key_the_latest_can_be_looked_back_on():
    shares, n = Shares(), 2000
    events = np.full(n, LEARN), np.zeros(n, dtype=np.int64), np.full(n, np.inf)
    shares.follow(X, *events, np.zeros(n))
    weights = WIDTH // 2
    assert described(shares, 0)[weights] == n
    for back in (1, 100, 255):
        assert described(shares, 0, float(n - back))[weights] == n - back
    assert described(shares, 0, float(n - 600))[weights] == 0.0  # forgotten


def test_thousands_of_keys_are_told_apart():
    n = 3000
    values = np.tile(X.values[:1], (n, 1))
    values[:, X.names.index("user")] = np.arange(n)
    many = Features(X.names, values, X.keys, np.zeros(n), X.version)
    events = np.full(n, LEARN), np.arange(n), np.full(n, np.inf)
    shares = Shares()
    shares.follow(many, *events, (np.arange(n) % 2).astype(float))
    user = list(LEVELS).index("user") * len(MEMORIES)
    asked = np.full(n, SERVE), np.arange(n), np.full(n, np.inf)
    told = Shares.load(shares.save()).follow(many, *asked, np.zeros(n))
    assert (told[:, WIDTH // 2 + user] == 1.0).all()
    assert (told[1::2, user] > told[::2, user].max()).all()


def test_an_end_that_is_neither_moves_the_clock_alone():
    shares = counted([1.0, np.nan, 0.0])
    assert shares.clock == 3
    other = Shares()
    pair = np.full(2, LEARN), np.array([0, 2]), np.full(2, np.inf)
    other.follow(X, *pair, np.array([1.0, 0.0]))
    np.testing.assert_array_equal(described(shares, 9), described(other, 9))


def test_what_was_saved_says_and_learns_the_same():
    one = counted(np.tile([1.0, 0.0], 20))
    other = Shares.load(one.save())
    for shares in (one, other):
        counted([1.0, 1.0, 0.0, 1.0] * 9, shares)
    assert one.clock == other.clock == 76
    for clock in (np.inf, 12.0, 55.0):
        np.testing.assert_array_equal(described(one, 45, clock), described(other, 45, clock))


def test_nothing_counted_can_be_saved():
    same = described(Shares.load(Shares().save()), 0)
    np.testing.assert_array_equal(same, described(Shares(), 0))
