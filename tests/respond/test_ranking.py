import numpy as np
from tests.respond.made_up import Recorder, alert

from headway.respond import Rule, outcomes, ranked

DAY_S = 86400.0


def test_without_outcomes_the_order_of_the_rule_stays():
    rng = np.random.default_rng(0)
    assert ranked("stuck", ("b", "a"), {("leak", "a"): (9, 0)}, rng) == ["b", "a"]


def test_what_helped_more_often_is_tried_first_but_not_for_ever():
    rng = np.random.default_rng(0)
    counts = {("stuck", "a"): (1, 9), ("stuck", "b"): (9, 1)}
    firsts = [ranked("stuck", ("a", "b"), counts, rng)[0] for _ in range(300)]
    assert firsts.count("b") > 280  # a has a Beta(3, 10), b a Beta(11, 2.5): a leads in about 1 %


def test_an_alert_that_comes_again_counts_against_what_was_done():
    recorder = Recorder()
    responder = recorder.responder([Rule(name="r", kinds=("stuck",), actions=("requeue",))])
    for name in "ab":
        responder.respond(alert(subject=name), 0.0)
    later = [alert(subject="a"), alert(subject="a", number=1, at_s=DAY_S / 2),
             alert(subject="z", at_s=2 * DAY_S)]  # fmt: skip
    assert outcomes(recorder.trail, later, DAY_S) == {("stuck", "requeue"): (1, 1)}


def test_what_was_done_a_moment_ago_is_not_judged_yet():
    recorder = Recorder()
    recorder.responder().respond(alert(), 0.0)
    assert outcomes(recorder.trail, [alert(number=1)], DAY_S) == {}


def test_what_failed_or_was_undone_by_a_person_did_not_help():
    recorder = Recorder(broken=("requeue",))
    responder = recorder.responder(
        [Rule(name="r", kinds=("stuck",), actions=("requeue", "drain"), expires_s=DAY_S)]
    )
    (done,) = responder.respond(alert(), 0.0)
    responder.undo(done.action_id, 5.0, "ann")
    counts = outcomes(recorder.trail, [], DAY_S)
    assert counts == {("stuck", "requeue"): (0, 1), ("stuck", "drain"): (0, 1)}
