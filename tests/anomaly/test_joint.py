"""Several detectors of a panel count as one; a row gets one score and names its series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.anomaly import detector, row_score, strangest
from headway.errors import ConfigError

PLAIN = {"members": ["same_time", "components"]}


def panel(days=12, seed=0):
    """Four series of a server, an hour a row: two follow the load, one lags, one is noise."""
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    load = 10 + 4 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 0.3, len(hours))
    y = np.column_stack([load, 3 * load, np.roll(load, 1), rng.normal(5, 1, len(hours))])
    return y + rng.normal(0, 0.1, y.shape)


def test_the_series_that_broke_is_named_and_the_row_is_the_strangest():
    y = panel()
    y[-1, :2] += [15.0, 45.0]
    one = detector("joint", **PLAIN)
    rows = []
    for t, row in enumerate(y):
        scores = one.score(3600.0 * t, row)
        rows.append(float(row_score(scores)))
        one.learn(3600.0 * t, row)
    assert set(strangest(("cpu", "net", "disk", "heat"), scores, 0.99)) == {"cpu", "net"}
    assert np.nanargmax(rows[60:]) == len(rows[60:]) - 1


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6), st.integers(0, 5), st.randoms())
def test_a_stranger_series_never_makes_a_row_less_strange(scores, at, random):
    scores = np.array(scores)
    more = scores.copy()
    more[at % len(scores)] = random.uniform(scores[at % len(scores)], 1.0)
    assert row_score(more) >= row_score(scores) - 1e-12
    assert 0.0 <= row_score(scores) <= 1.0


def test_rows_are_scored_at_once_as_one_by_one():
    scores = np.random.default_rng(0).random((7, 3))
    scores[2] = np.nan
    scores[3, 1] = np.nan
    together = row_score(scores)
    np.testing.assert_array_equal(together, [row_score(row) for row in scores])
    assert np.flatnonzero(np.isnan(together)).tolist() == [2]


def test_a_member_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="members must be of same_time"):
        detector("joint", members=["oracle"])
    with pytest.raises(ConfigError, match="members must be of"):
        detector("joint", members=[])
