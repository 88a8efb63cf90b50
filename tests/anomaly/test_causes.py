"""Likely causes: graphs, shares, lateness, and incidents that spread through made services."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.anomaly.causes import departures, likely_causes, rank_causes, together
from headway.errors import ConfigError

GRAPH = {"site": ["search", "pay"], "search": ["table"], "pay": ["table", "mail"]}
NAMES = ("site", "search", "pay", "table", "mail", "backup")


def named(strange, **more):
    """The names in their order, for strangenesses by name."""
    return [c.name for c in rank_causes(list(strange), np.array([*strange.values()]), **more)]


def test_a_part_is_not_a_cause_where_what_it_depends_on_explains_it():
    strange = {"site": 3.0, "search": 4.0, "pay": 0.0, "table": 5.0, "mail": 0.0}
    assert named(strange, about="site", depends_on=GRAPH) == ["table"]


def test_the_subject_is_its_own_cause_where_all_it_depends_on_is_calm():
    strange = {"site": 3.0, "search": 0.1, "pay": 0.0, "table": 0.2, "mail": 0.0}
    assert named(strange, about="site", depends_on=GRAPH)[0] == "site"


def test_what_the_subject_does_not_depend_on_is_no_cause():
    strange = {"search": 3.0, "table": 0.0, "backup": 9.0, "site": 2.0}
    assert named(strange, about="site", depends_on=GRAPH) == ["search"]
    assert named(strange, about="site")[0] == "backup"


def test_a_part_that_is_not_observed_is_looked_through():
    strange = {"site": 3.0, "search": np.nan, "table": 5.0}
    assert named(strange, about="site", depends_on=GRAPH) == ["table"]


def test_shares_of_the_trouble_and_lateness_put_a_cause_behind():
    strange = {"search": 4.0, "pay": 3.0, "site": 1.0}
    small = {"share": np.array([0.1, 1.0, 1.0])}
    late = {"is_late": np.array([True, False, False])}
    assert named(strange, about="site", depends_on=GRAPH) == ["search", "pay"]
    assert named(strange, about="site", depends_on=GRAPH, **small) == ["pay", "search"]
    assert named(strange, about="site", depends_on=GRAPH, **late) == ["pay", "search"]


def test_a_circle_of_dependencies_ends():
    graph = {"a": ["b"], "b": ["c"], "c": ["a"]}
    assert named({"a": 1.0, "b": 2.0, "c": 5.0}, about="a", depends_on=graph) == ["c"]


@given(st.permutations(range(6)), st.lists(st.floats(0, 30), min_size=6, max_size=6))
def test_the_order_of_the_series_does_not_matter(order, strange):
    strange = np.array(strange)
    one = rank_causes(NAMES, strange, "site", GRAPH)
    two = rank_causes([NAMES[i] for i in order], strange[order], "site", GRAPH)
    assert one == two


def spread(root, rng, n=60):
    """Scores (n, 6) of calm steps, then of ten in which one part's trouble reaches its callers."""
    hit = {root}
    for _ in range(3):
        hit |= {k for k, v in GRAPH.items() if set(v) & hit}
    size = np.array([(6.0 if k == root else 4.5) if k in hit else 0.0 for k in NAMES])
    decades = rng.exponential(0.43, (n, len(NAMES)))
    decades[-10:] += size
    return 1.0 - 10.0**-decades


def test_the_root_of_a_made_incident_is_named_first():
    rng = np.random.default_rng(0)
    for root in NAMES[:5]:
        for _ in range(20):
            found = likely_causes(NAMES, spread(root, rng), "site", GRAPH)
            assert found[0] == root
            assert "backup" not in found


def test_nothing_is_named_where_nothing_is_strange():
    calm = np.full((10, len(NAMES)), 0.5)
    assert likely_causes(NAMES, calm, "site", GRAPH) == ()
    assert likely_causes(NAMES, np.full((1, 6), np.nan), "site") == ()


def test_what_turned_strange_after_the_subject_comes_behind_what_did_so_before():
    scores = np.full((6, 3), 0.3)
    scores[2:, 0] = 0.9999  # the subject
    scores[1:, 1] = 0.9999
    scores[3:, 2] = 0.999999
    assert likely_causes(("site", "pay", "search"), scores, "site")[0] == "pay"


def test_a_subject_that_is_no_series_is_refused():
    with pytest.raises(ConfigError, match="about must be one of the series"):
        likely_causes(NAMES, np.zeros((3, 6)), "nobody")


def test_departures_are_measured_from_just_before_in_units_of_calm_time():
    usual = np.random.default_rng(0).normal(10.0, 1.0, (1000, 3))
    usual[:, 2] = np.nan
    before = np.array([[10.0, 15.0, 1.0]])  # the second had left its calm ways before
    far = departures(np.array([[15.0, 20.0, 5.0]]), before, usual)[0]
    assert far[0] == pytest.approx(5.0, rel=0.1)
    assert 0.0 < far[1] < 1.1
    assert np.isnan(far[2])


def test_departures_bear_series_that_never_moved_and_rows_that_are_missing():
    usual = np.full((50, 2), 7.0)
    far = departures(np.array([[7.0, 8.0], [np.nan, 8.0]]), np.zeros((0, 2)), usual)
    assert far[0, 0] == 0.0
    assert far[0, 1] > 100.0
    assert np.isnan(far[1, 0])


def test_series_count_while_the_subject_was_strange():
    rare = np.array([[0.0, 5.0, 0.0], [4.0, 0.0, 3.0]])
    assert together(rare, 0).round(3).tolist() == [4.0, 0.0, 3.0]
