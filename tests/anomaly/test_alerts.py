"""One alert per incident, and none where nobody should be woken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.anomaly import POINTS, Alerting, AlertPolicy, detector, load, weekly_policy
from headway.errors import ConfigError

STEP_S = 300.0


def raised(alerting, scores, y=None, low=None, high=None):
    """All alerts as they were last said of, by id, after scores (n_steps, n)."""
    said = {}
    for t, row in enumerate(np.atleast_2d(scores)):
        pick = [None if x is None else x[t] for x in (y, low, high)]
        said |= {alert.alert_id: alert for alert in alerting.step(STEP_S * t, row, *pick)}
    return list(said.values())


def spikes(n_steps, *at, n=1):
    scores = np.full((n_steps, n), 0.5)
    scores[list(at)] = 0.99999
    return scores


def test_a_burst_is_one_alert_that_says_since_when_and_ends():
    policy = AlertPolicy(quiet_s=900.0, hold_s=0.0)
    (alert,) = raised(Alerting(["cpu"], policy), spikes(40, *range(10, 16), 17))
    assert (alert.at_s, alert.since_s, alert.ended_s) == (3000.0, 3000.0, 5100.0)
    assert alert.subject == "cpu"
    assert alert.dimensions == ("cpu",)
    assert alert.severity == "warning"


def test_an_alert_says_what_came_and_what_was_expected():
    scores = spikes(12, 10)
    y, low, high = (np.full((12, 1), x) for x in (99.0, 1.0, 9.0))
    (alert,) = raised(Alerting(["cpu"], cluster="here", made_by="ewma"), scores, y, low, high)
    assert (alert.value, alert.expected_low, alert.expected_high) == (99.0, 1.0, 9.0)
    assert (alert.cluster, alert.made_by, alert.about, alert.kind) == (
        "here", "ewma", "series", "series",
    )  # fmt: skip


def test_a_series_alerts_again_only_after_its_hold():
    policy = AlertPolicy(quiet_s=600.0, hold_s=86_400.0)
    assert len(raised(Alerting(["cpu"], policy), spikes(280, 10, 100, 200))) == 1
    assert len(raised(Alerting(["cpu"], policy), spikes(400, 10, 100, 350))) == 2


def test_a_point_that_is_strange_for_too_short_raises_nothing():
    policy = AlertPolicy(least_s=900.0, quiet_s=300.0)
    assert raised(Alerting(["cpu"], policy), spikes(40, 10, 11, 20, 30)) == []
    (alert,) = raised(Alerting(["cpu"], policy), spikes(40, *range(10, 20)))
    assert (alert.since_s, alert.at_s) == (3000.0, 3900.0)


def test_maintenance_raises_nothing_and_what_goes_on_after_it_does():
    policy = AlertPolicy(maintenance=((0.0, 6000.0),))
    (alert,) = raised(Alerting(["cpu"], policy), spikes(40, *range(5, 30)))
    assert alert.at_s == 6000.0


def test_only_the_direction_that_is_looked_at_is_raised():
    y, low, high = np.full((12, 1), 0.0), np.full((12, 1), 5.0), np.full((12, 1), 9.0)
    up, down = (Alerting(["free"], AlertPolicy(direction=d)) for d in ("up", "down"))
    assert raised(up, spikes(12, 10), y, low, high) == []
    assert len(raised(down, spikes(12, 10), y, low, high)) == 1


def test_series_of_one_group_that_turn_strange_together_are_one_incident():
    scores = np.full((40, 3), 0.5)
    scores[20:25, 0] = 0.9999
    scores[21:25, 1] = 0.99999
    scores[21:25, 2] = 0.99999
    alerting = Alerting(["a", "b", "c"], groups=["node1", "node1", "node2"])
    first, other = raised(alerting, scores)
    assert first.dimensions == ("a", "b")
    assert other.dimensions == ("c",)
    assert first.score == 0.99999


def test_correlated_series_are_one_incident_and_strangers_are_not():
    rng = np.random.default_rng(0)
    shared = rng.uniform(size=400)
    scores = np.column_stack([shared, shared, rng.uniform(size=400)])
    scores = np.minimum(scores, 0.999)
    scores[399] = 0.99999
    said = raised(Alerting(["a", "b", "c"]), scores)
    assert sorted(alert.dimensions for alert in said) == [("a", "b"), ("c",)]


def test_a_budget_sets_how_many_alerts_come():
    scores = np.random.default_rng(2).uniform(size=(288 * 60, 5))
    for budget in (0.5, 2.0):
        policy = AlertPolicy(budget_per_day=budget, hold_s=0.0, quiet_s=300.0, correlation=2.0)
        n = len(raised(Alerting(list("abcde"), policy), scores))
        assert n / 60 == pytest.approx(budget, rel=0.35)


@settings(max_examples=60, deadline=None)
@given(
    decades=st.floats(1.0, 11.5).flatmap(
        lambda most: st.lists(st.floats(0.8 * most, most), min_size=60, max_size=120)
    ),
    budget=st.floats(0.1, 50.0),
    threshold=st.sampled_from([0.9, 0.99]),
)
def test_an_alert_over_the_budget_is_a_quarter_of_a_decade_rarer_than_the_one_before(
    decades, budget, threshold
):
    """What a budget guarantees of any stream: so many alerts, however often its points are rare."""
    policy = AlertPolicy(threshold=threshold, budget_per_day=budget, hold_s=0.0, quiet_s=0.0)
    scores = 1.0 - 10.0 ** -np.array([x for d in decades for x in (d, 0.0)])[:, None]
    days = STEP_S * len(scores) / 86_400.0
    climbed = max(0.0, max(decades) + np.log10(1.0 - threshold))
    assert len(raised(Alerting(["a"], policy), scores)) <= 1 + budget * days + 4 * climbed + 1e-6


def test_what_is_rare_enough_is_raised_whatever_was_spent():
    policy = AlertPolicy(threshold=0.9, budget_per_day=0.01, hold_s=0.0, quiet_s=0.0)
    scores = np.full((202, 1), 0.5)
    scores[:200:2] = 0.99
    scores[200] = 1.0 - 1e-6
    said = raised(Alerting(["a"], policy), scores)
    assert len(said) <= 6
    assert said[-1].at_s == 200 * STEP_S


def test_verdicts_move_the_threshold_of_the_series_they_are_about():
    alerting = Alerting(["a", "b"])
    (alert,) = raised(alerting, np.array([[0.5, 0.5], [0.9999, 0.5]]))
    before = alerting.threshold()
    alerting.judge(alert.alert_id, is_real=False)
    assert alerting.threshold()[0] > before[0]
    assert alerting.threshold()[1] == before[1]
    alerting.judge(alert.alert_id, is_real=True)
    alerting.judge(alert.alert_id, is_real=True)
    assert alerting.threshold()[0] == pytest.approx(before[0])
    with pytest.raises(ConfigError, match="alert_id must be"):
        alerting.judge("none", is_real=True)


def test_a_time_that_comes_twice_or_late_is_passed_over():
    alerting = Alerting(["a"])
    assert len(alerting.step(600.0, np.array([0.9999]))) == 1
    assert alerting.step(600.0, np.array([0.9999])) == ()
    assert alerting.step(0.0, np.array([0.9999])) == ()


def test_a_series_that_alerts_often_must_be_stranger_for_a_while():
    policy = AlertPolicy(threshold=0.999, hold_s=0.0, quiet_s=300.0, lift=1.5, fade_s=30_000.0)
    scores = np.full((260, 1), 0.5)
    scores[[10, 20, 250]] = 0.9999
    assert [a.at_s for a in raised(Alerting(["a"], policy), scores)] == [3000.0, 75_000.0]


def test_gaps_neither_raise_nor_end_an_incident():
    alerting = Alerting(["a"], AlertPolicy(quiet_s=600.0))
    scores = np.full((40, 1), np.nan)
    scores[5] = 0.99999
    (alert,) = raised(alerting, scores)
    assert alert.ended_s is None
    assert alerting.open() == (alert,)


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 1.0}, {"direction": "left"}, {"hold_s": -1.0}, {"budget_per_day": 0.0}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        AlertPolicy(**wrong)


@given(step_s=st.floats(1.0, 86_400.0), alerts=st.floats(0.01, 100.0))
def test_a_weekly_policy_waits_for_the_same_number_of_strange_points_a_week(step_s, alerts):
    share = 1.0 - weekly_policy(step_s, alerts).threshold
    a_week = share * 7 * 86_400.0 / step_s
    assert a_week == pytest.approx(10.0**0.55 * alerts, rel=1e-6) or share == pytest.approx(0.5)


def test_a_weekly_policy_of_no_alerts_is_refused():
    with pytest.raises(ConfigError, match="alerts must be above 0"):
        weekly_policy(60.0, 0.0)


def test_points_is_an_ensemble_that_is_kept_whole(tmp_path):
    one = detector("points")
    rng = np.random.default_rng(0)
    for t in range(80):
        one.learn(STEP_S * t, rng.normal(size=2))
    one.save(tmp_path)
    y = np.array([9.0, 0.0])
    assert [member.name for member in one.members] == list(POINTS)
    assert load(tmp_path).score(STEP_S * 80, y).tolist() == one.score(STEP_S * 80, y).tolist()
