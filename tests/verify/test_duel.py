"""A challenger must be better for sure, and may not buy that with first attempts that fail."""

import numpy as np
import pytest
from tests.predict.made_up import history

from headway.verify import duel as place
from headway.verify.duel import Answered, Side, duel

TASKS = history(400, 7)
PEAK = TASKS["memory_peak_bytes"].cast(float).to_numpy()
RUN_S = (TASKS["ended_s"] - TASKS["started_s"]).to_numpy()
LEVELS = np.array([0.05, 0.5, 0.95])


def says(factor, share_enough=1.0, runtime=1.0):
    """A side that gives each task so much of its peak, too little to some, and one runtime."""
    enough = np.arange(len(PEAK)) % 20 < 20 * share_enough
    given = np.where(enough, factor, 0.9) * PEAK
    quantiles = RUN_S[:, None] * runtime * np.array([0.5, 1.0, 2.0])
    return Answered(LEVELS, quantiles, given, PEAK)


def judged(monkeypatch, champion, challenger):
    said = {"champion": champion, "challenger": challenger}
    sides = {name: Side(None, sizer=name) for name in said}
    monkeypatch.setattr(place, "answered", lambda side, _tasks: said[side.sizer])
    return duel(sides["champion"], sides["challenger"], TASKS, 0.95)


def test_less_waste_at_the_same_coverage_wins(monkeypatch):
    said = judged(monkeypatch, says(3.0), says(1.5))
    assert said["wins"]
    assert said["memory"]["gain"] == pytest.approx(0.75)
    assert said["why"] == "the challenger is better: memory by 75.0%"


def test_less_waste_with_fewer_first_attempts_enough_does_not(monkeypatch):
    said = judged(monkeypatch, says(9.0), says(1.5, share_enough=0.8))
    assert said["memory"]["gain_low"] > 0.0
    assert not said["wins"]
    assert "80.0% of first attempts would be enough, now 100.0%" in said["why"]


def test_a_coverage_above_what_is_asked_may_be_given_up(monkeypatch):
    assert judged(monkeypatch, says(9.0), says(1.5, share_enough=0.95))["wins"]


def test_better_memory_does_not_pay_for_worse_runtimes(monkeypatch):
    said = judged(monkeypatch, says(3.0), says(1.5, runtime=9.0))
    assert not said["wins"]
    assert said["why"].startswith("the challenger is worse: runtime by")


def test_the_same_answers_are_no_sure_difference(monkeypatch):
    assert judged(monkeypatch, says(2.0), says(2.0))["why"] == "no difference is sure"
