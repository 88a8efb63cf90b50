import pytest
from tests.respond.made_up import HOUR_S, Recorder, alert, node_rule

from headway.errors import ConfigError
from headway.records import Action
from headway.respond import Limits, Responder, Rule, Rules, stopped
from headway.respond import start as switch_on
from headway.respond import stop as switch_off


def states(recorder):
    return [action.state for action in recorder.trail]


def test_acting_does_what_the_rule_says_and_writes_it_down_before_and_after():
    recorder = Recorder()
    (change,) = recorder.responder().respond(alert(), 5.0)
    assert recorder.did == [("requeue", "7")]
    assert states(recorder) == ["approved", "done"]
    assert (change.state, change.reason, change.at_s) == ("done", "did it", 5.0)


def test_observing_is_the_default_and_does_nothing():
    recorder = Recorder()
    rules = Rules((Rule(name="r", kinds=("stuck",), actions=("requeue",)),))
    responder = Responder(rules, {"requeue": recorder.hand("requeue")}, recorder.trail.append)
    (change,) = responder.respond(alert(), 0.0)
    assert (change.state, change.mode, recorder.did) == ("proposed", "observe", [])
    with pytest.raises(ConfigError, match="only observed"):
        responder.approve(change.action_id, 1.0, "ann")


def test_a_proposal_is_done_once_it_is_approved_and_not_before():
    recorder = Recorder()
    responder = recorder.responder(mode="propose")
    (change,) = responder.respond(alert(), 0.0)
    assert recorder.did == []
    done = responder.approve(change.action_id, 9.0, "ann")
    assert (recorder.did, done.state, done.made_by) == ([("requeue", "7")], "done", "ann")
    with pytest.raises(ConfigError, match="nothing waits"):
        responder.approve(change.action_id, 10.0, "ann")


def test_a_rule_that_only_proposes_waits_for_a_person_also_when_others_act():
    recorder = Recorder()
    responder = recorder.responder([node_rule(mode="propose")])
    (change,) = responder.respond(alert("slow_node", "n1", "node"), 0.0)
    assert (change.state, recorder.did) == ("proposed", [])


def test_a_proposal_that_nobody_answers_is_void():
    recorder = Recorder()
    responder = recorder.responder([node_rule(expires_s=100.0)], mode="propose")
    (change,) = responder.respond(alert("slow_node", "n1", "node"), 0.0)
    assert responder.approve(change.action_id, 100.0, "ann").state == "refused"
    assert recorder.did == []


def test_the_same_is_not_done_to_the_same_subject_again_within_the_cooldown():
    recorder = Recorder()
    rules = [Rule(name="r", kinds=("stuck",), actions=("requeue",), cooldown_s=HOUR_S)]
    responder = recorder.responder(rules)
    responder.respond(alert(number=1), 0.0)
    (refused,) = responder.respond(alert(number=2), HOUR_S - 1.0)
    assert (refused.state, refused.reason.split(":")[0]) == ("refused", "cooldown")
    assert responder.respond(alert(number=2), HOUR_S - 0.5) == []  # said once
    (done,) = responder.respond(alert(number=2), HOUR_S)
    assert done.state == "done"
    assert len(recorder.did) == 2


def test_a_restart_forgets_no_cooldown_and_repeats_nothing():
    first = Recorder()
    first.responder().respond(alert(number=1), 0.0)
    second = Recorder()
    responder = second.responder(history=first.trail)
    assert responder.respond(alert(number=1), 10.0) == []
    (refused,) = responder.respond(alert(number=2), 10.0)
    assert (refused.state, second.did) == ("refused", [])


def test_an_action_in_doubt_after_a_crash_is_not_done_twice():
    first = Recorder()
    first.responder().respond(alert(), 0.0)
    second = Recorder()
    assert second.responder(history=first.trail[:1]).respond(alert(), 1.0) == []
    assert second.did == []


def test_no_more_actions_an_hour_than_the_budget():
    recorder = Recorder()
    responder = recorder.responder(limits=Limits(actions_per_hour=3))
    many = alert(dimensions=tuple("abcde"))
    changes = responder.respond(many, 0.0)
    assert [c.state for c in changes] == ["done"] * 3 + ["refused"] * 2
    assert "rate" in changes[-1].reason
    assert [c.state for c in responder.respond(many, HOUR_S)] == ["done"] * 2


def test_no_more_nodes_are_out_of_service_at_once_than_allowed():
    recorder = Recorder()
    responder = recorder.responder([node_rule(cooldown_s=0.0)], Limits(nodes_at_once=1))
    responder.respond(alert("slow_node", "n1", "node"), 0.0)
    (refused,) = responder.respond(alert("slow_node", "n2", "node"), 2 * HOUR_S)
    assert refused.state == "refused"
    (first,) = [a for a in responder.states() if a.state == "done"]
    responder.undo(first.action_id, 3 * HOUR_S, "ann")
    (done,) = responder.respond(alert("slow_node", "n2", "node"), 3 * HOUR_S)
    assert done.state == "done"


@pytest.mark.parametrize(("nodes", "most"), [(0, 2), (40, 2), (60, 3), (120, 6)])
def test_a_large_cluster_may_lose_more_nodes_at_once_than_a_small_one(nodes, most):
    responder = Recorder().responder([node_rule()], nodes=nodes)
    changes = [responder.respond(alert("slow_node", f"n{i}", "node"), 0.0)[0] for i in range(8)]
    assert [c.state for c in changes] == ["done"] * most + ["refused"] * (8 - most)


def test_where_no_node_may_go_none_goes_however_large_the_cluster_is():
    responder = Recorder().responder([node_rule()], Limits(nodes_at_once=0), nodes=1000)
    assert responder.respond(alert("slow_node", "n1", "node"), 0.0)[0].state == "refused"


def test_no_larger_part_of_the_queue_is_touched_than_allowed():
    recorder = Recorder()
    limits = Limits(queue_share=0.3)
    responder = recorder.responder(limits=limits, share=lambda action: 0.2)
    assert responder.respond(alert(subject="a"), 0.0)[0].state == "done"
    assert responder.respond(alert(subject="b"), 1.0)[0].state == "refused"
    assert responder.respond(alert(subject="b"), HOUR_S + 1.0)[0].state == "done"


def test_nothing_acts_while_the_switch_is_set(tmp_path):
    recorder = Recorder()
    responder = recorder.responder(stopped=stopped(tmp_path))
    switch_off(tmp_path, "maintenance")
    (refused,) = responder.respond(alert(), 0.0)
    assert (refused.state, recorder.did) == ("refused", [])
    assert "maintenance" in refused.reason
    switch_on(tmp_path)
    assert responder.respond(alert(), 1.0)[0].state == "done"
    switch_off(tmp_path, "again")
    with pytest.raises(ConfigError, match="again"):
        responder.undo(recorder.trail[-1].action_id, 2.0, "ann")


def test_a_switch_that_is_set_also_stops_what_was_proposed_before(tmp_path):
    recorder = Recorder()
    responder = recorder.responder(mode="propose", stopped=stopped(tmp_path))
    (change,) = responder.respond(alert(), 0.0)
    switch_off(tmp_path, "stop")
    assert responder.approve(change.action_id, 1.0, "ann").state == "refused"
    assert recorder.did == []


def test_an_action_that_gains_nothing_in_the_simulation_is_refused():
    recorder = Recorder()
    gains = {"good": 50.0, "bad": -1.0}
    responder = recorder.responder(gain=lambda action: gains[action.subject])
    good, bad = responder.respond(alert(dimensions=("good", "bad")), 0.0)
    assert (good.state, good.expected_gain) == ("done", 50.0)
    assert (bad.state, bad.reason.split(":")[0]) == ("refused", "simulation")
    assert recorder.did == [("requeue", "good")]


def test_an_action_that_fails_is_written_down_and_the_next_one_is_tried():
    recorder = Recorder(broken=("requeue",))
    rules = [Rule(name="r", kinds=("stuck",), actions=("requeue", "cancel"))]
    responder = recorder.responder(rules, names=("requeue", "cancel"))
    (change,) = responder.respond(alert(), 0.0)
    assert states(recorder) == ["approved", "failed", "approved", "done"]
    assert (change.action, recorder.did) == ("cancel", [("cancel", "7")])


def test_what_is_done_for_a_time_is_undone_when_it_is_over():
    recorder = Recorder()
    responder = recorder.responder([node_rule(expires_s=100.0)])
    responder.respond(alert("slow_node", "n1", "node"), 0.0)
    assert responder.expire(99.0) == []
    assert [c.state for c in responder.expire(100.0)] == ["undone"]
    assert recorder.undid == [("drain", "n1")]


def test_as_an_incident_grows_only_its_new_members_are_acted_on():
    recorder = Recorder()
    responder = recorder.responder()
    responder.respond(alert(dimensions=("7",)), 0.0)
    responder.respond(alert(dimensions=("7", "8")), 1.0)
    assert recorder.did == [("requeue", "7"), ("requeue", "8")]


def test_an_alert_that_is_over_or_that_no_rule_is_for_leads_to_nothing():
    recorder = Recorder()
    responder = recorder.responder()
    assert responder.respond(alert(ended_s=1.0), 2.0) == []
    assert responder.respond(alert("series", "load", "series"), 2.0) == []


def test_what_nothing_can_carry_out_is_refused_with_the_reason():
    recorder = Recorder()
    (refused,) = recorder.responder(names=()).respond(alert(), 0.0)
    assert (refused.state, refused.reason) == ("refused", "nothing here can requeue")


def test_unknown_modes_and_ids_are_refused():
    with pytest.raises(ConfigError, match="mode must be one of"):
        Recorder().responder(mode="yolo")
    with pytest.raises(ConfigError, match="no action"):
        Recorder().responder().undo("nope", 0.0, "ann")


def test_an_action_has_the_same_id_whenever_the_alert_comes():
    one, two = Recorder(), Recorder()
    one.responder().respond(alert(), 0.0)
    two.responder().respond(alert(), 99.0)
    assert one.trail[0].action_id == two.trail[0].action_id
    assert isinstance(one.trail[0], Action)
