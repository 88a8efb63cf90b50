"""Counting failures by kind: shrunk towards the coarser kind, and as of any moment."""

import numpy as np
from tests.predict.made_up import taught

from headway.predict.shares import LEVELS, MEMORIES, WIDTH, Shares, finest

X, _ = taught(60)
KEYS = Shares().keys(X)


def counted(y):
    shares = Shares()
    for row, failed in enumerate(y):
        shares.count(KEYS, row, failed)
    return shares


def test_a_task_gets_a_share_and_a_weight_for_each_level_and_memory():
    described = counted([1.0, 0.0]).describe(KEYS, 2)
    assert len(described) == WIDTH == 2 * len(LEVELS) * len(MEMORIES)
    shares = described[: WIDTH // 2]
    assert all(0.0 < share < 1.0 for share in shares)
    assert finest(np.array([described])).shape == (1, len(MEMORIES))


def test_a_kind_never_seen_has_the_share_of_the_coarser_level():
    queue = list(LEVELS).index("queue") * len(MEMORIES)
    described = counted([1.0, 1.0, 0.0]).describe([[("never",)]] * len(LEVELS), 0)
    assert described[queue] == described[0]


def test_the_mean_of_all_tasks_is_that_of_a_beta_posterior():
    described = counted([1.0, 0.0, 0.0]).describe(KEYS, 5)
    assert np.isclose(described[0], (1.0 + 4.0 * 0.1) / (3.0 + 4.0))


def test_many_failures_of_a_kind_are_believed_more_than_few():
    few, many = counted([1.0] * 2).describe(KEYS, 0), counted([1.0] * 40).describe(KEYS, 0)
    assert all(np.array(many[: WIDTH // 2]) > np.array(few[: WIDTH // 2]))


def test_the_shortest_memory_follows_a_change_first():
    finest_now = finest(np.array([counted([0.0] * 30 + [1.0] * 10).describe(KEYS, 0)]))[0]
    assert finest_now[0] < finest_now[1] < finest_now[2]


def test_the_past_is_described_as_it_was():
    y = np.tile([1.0, 0.0, 0.0], 15)
    whole = counted(y)
    for clock in (0, 1, 7, 44, 45):
        assert whole.describe(KEYS, 50, float(clock)) == counted(y[:clock]).describe(KEYS, 50)


def test_an_end_that_is_neither_moves_the_clock_alone():
    shares = counted([1.0, np.nan, 0.0])
    assert shares.clock == 3
    assert shares.describe(KEYS, 9) == counted([1.0, 0.0]).describe(KEYS, 9)


def test_what_was_saved_says_and_learns_the_same():
    one = counted(np.tile([1.0, 0.0], 20))
    other = Shares.load(one.save())
    for shares in (one, other):
        shares.count(KEYS, 3, 1.0)
    assert one.clock == other.clock
    assert one.describe(KEYS, 45) == other.describe(KEYS, 45)
    assert one.describe(KEYS, 45, 12.0) == other.describe(KEYS, 45, 12.0)


def test_nothing_counted_can_be_saved():
    assert Shares.load(Shares().save()).describe(KEYS, 0) == Shares().describe(KEYS, 0)
