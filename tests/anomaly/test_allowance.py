import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headway.anomaly.allowance import incidents_at, threshold_for

FOUND = st.lists(
    st.tuples(st.floats(0, 1e6), st.sampled_from("abc"), st.floats(0, 10)), max_size=60
).map(sorted)


@given(FOUND, st.integers(5, 20))
def test_the_past_makes_no_more_incidents_than_allowed(found, allowed):
    threshold = threshold_for(found, float(allowed), 1000.0, 0.5)
    assert incidents_at(found, threshold, 1000.0) <= allowed
    assert threshold >= 0.5


@given(FOUND)
def test_fewer_allowed_never_lowers_the_threshold_below_what_more_gives(found):
    few = threshold_for(found, 0.01, 1000.0, 0.5)
    some = threshold_for(found, 1.0, 1000.0, 0.5)
    assert few >= some


def test_findings_about_one_thing_are_one_incident_until_it_is_quiet():
    found = [(0.0, "a", 3.0), (5.0, "a", 3.0), (5.0, "b", 3.0), (20.0, "a", 3.0), (21.0, "a", 1.0)]
    assert incidents_at(found, 2.0, 10.0) == 3
    assert incidents_at(found, 4.0, 10.0) == 0


def test_an_exponential_tail_is_continued_to_what_is_allowed_once_in_a_hundred_pasts():
    rng = np.random.default_rng(0)
    scores = rng.exponential(1.0, 4000)
    found = [(1000.0 * k, f"{k}", float(score)) for k, score in enumerate(scores)]
    threshold = threshold_for(found, 0.01, 1.0, 0.5)
    exact = math.log(4000 / 0.01)
    assert abs(threshold - exact) < 3.0  # 20 peaks give the mean excess within 22 %, of 7.6 here


def test_nothing_found_leaves_the_smallest_threshold():
    assert threshold_for([], 1.0, 10.0, 7.0) == 7.0
