"""A plan names a size that keeps to the wait asked for, by when, and what it costs."""

import numpy as np
import pytest

from headway.capacity import ahead_means, plan_history
from headway.errors import ConfigError, NotEnoughData
from headway.history import open_traces
from tests.made_history import swf_text


def silent(what, share):
    assert 0.0 <= share <= 1.0


@pytest.fixture(scope="module")
def swf(tmp_path_factory):
    """Some eighty days of tasks on sixteen processors."""
    path = tmp_path_factory.mktemp("made") / "made.swf"
    path.write_text(swf_text(tasks=8000))
    return path


def planned(path, **changed):
    asked = {"horizon_days": 10, "wait_s": 600.0, "level": 0.8, "price_core_hour": 0.5}
    (trace,) = open_traces([path])
    return plan_history(trace, progress=silent, **(asked | changed))


@pytest.fixture(scope="module")
def document(swf):
    """The plan of ten days."""
    return planned(swf)


def test_the_size_named_was_played_and_keeps_to_the_wait(document):
    assert document["is_enough"]
    assert document["needed"]["procs"] == document["needed_procs"]
    assert document["needed"]["wait_s_at_level"] <= 600.0
    smaller = [row for row in document["sizes"] if row["procs"] < document["needed_procs"]]
    assert smaller[-1]["wait_s_at_level"] > 600.0
    assert (
        document["add_procs"]
        == document["needed_procs"] - 16
        == document["needed_procs"] - (document["now"]["procs"])
    )


def test_plans_of_the_past_say_what_came_of_them(document):
    tested = document["tested"]
    assert 0 < tested["plans"] < document["windows"]
    assert 0.0 <= tested["kept_share"] <= 1.0
    assert tested["high_wait_s"] >= 0.0
    assert document["sized_by"]


def test_the_bill_is_processors_times_hours_times_the_price(document):
    assert document["needed"]["cost"] == document["needed_procs"] * 240 * 0.5
    assert document["cost_of_steps"] == pytest.approx(sum(document["capacity"]) * 24 * 0.5)


def test_days_follow_the_past_and_bounds_are_in_order(document):
    assert len(document["demand"]) == len(document["capacity"]) == 10
    assert len(document["past"]) == 40
    assert document["past"][-1]["at"] < document["from"] == document["demand"][0]["at"]
    for row in document["demand"]:
        ends = [row[k] for k in ("low_95", "low_80", "value", "high_80", "high_95")]
        assert ends == sorted(ends)


def test_who_waits_less_pays_for_more_and_must_add_sooner(swf):
    hasty, patient = (planned(swf, wait_s=60.0 * minutes) for minutes in (1, 600))
    assert hasty["needed_procs"] > patient["needed_procs"]
    assert hasty["add_procs"] > 0
    assert hasty["add_by_day"] is not None
    assert max(hasty["capacity"]) == hasty["needed_procs"]


def test_capacity_that_is_too_large_goes_slowly(swf):
    (trace,) = open_traces([swf], total_cpus=1000)
    found = plan_history(
        trace, horizon_days=10, wait_s=600.0, level=0.8, price_core_hour=0.5, progress=silent
    )
    assert found["add_procs"] < 0
    assert found["add_by_day"] is None
    assert (np.diff([1000.0, *found["capacity"]]) >= -51.0).all()
    assert min(found["capacity"]) > found["needed_procs"]


def test_a_short_history_is_refused_with_what_it_needs(tmp_path):
    path = tmp_path / "short.swf"
    path.write_text(swf_text(tasks=2000))
    with pytest.raises(
        NotEnoughData, match="a plan for 10 days needs 45 days of history with tasks, got 20"
    ):
        planned(path)


def test_without_processors_there_is_nothing_to_plan(tmp_path, swf):
    lines = [line for line in swf.read_text().splitlines() if "Max" not in line]
    cut = [" ".join([*x.split()[:4], "-1", *x.split()[5:7], "-1", *x.split()[8:]]) for x in lines
           if not x.startswith(";")]  # fmt: skip
    path = tmp_path / "unknown.swf"
    path.write_text("\n".join(cut) + "\n")
    with pytest.raises(NotEnoughData):
        planned(path)


@pytest.mark.parametrize(
    "changed", [{"horizon_days": 0}, {"wait_s": -1.0}, {"level": 1.0}, {"level": 0.0}]
)
def test_wrong_wishes_are_one_sentence(swf, changed):
    with pytest.raises(ConfigError, match="horizon-days"):
        planned(swf, **changed)


def test_a_week_ahead_is_shorter_at_the_end():
    means = ahead_means(np.arange(10.0))
    assert means[0] == 3.0
    assert means[-1] == 9.0
