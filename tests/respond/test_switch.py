"""The kill switch, in every state that its file can be in."""

from tests.respond.made_up import HOUR_S, Recorder, alert, node_rule

from headway.respond import Limits, start, stop, stopped


def test_a_switch_that_was_never_set_stops_nothing_and_start_lifts_it(tmp_path):
    why = stopped(tmp_path / "home")
    assert why() == ""
    stop(tmp_path / "home", "maintenance")
    assert why() == "maintenance"
    start(tmp_path / "home")
    assert why() == ""


def test_an_empty_switch_file_stops_as_one_made_by_touch_does(tmp_path):
    (tmp_path / "respond.stop").touch()
    assert "respond.stop is there" in stopped(tmp_path)()


def test_a_switch_that_cannot_be_read_is_set(tmp_path):
    (tmp_path / "respond.stop").mkdir()
    assert "cannot be read" in stopped(tmp_path)()


def test_nothing_is_undone_by_itself_while_the_switch_is_set(tmp_path):
    recorder = Recorder()
    responder = recorder.responder([node_rule(expires_s=100.0)], stopped=stopped(tmp_path))
    responder.respond(alert("slow_node", "n1", "node"), 0.0)
    stop(tmp_path, "maintenance")
    assert responder.expire(100.0) == []
    assert recorder.undid == []
    start(tmp_path)
    assert [change.state for change in responder.expire(101.0)] == ["undone"]


def test_the_budget_is_asked_again_when_a_person_approves():
    recorder = Recorder()
    responder = recorder.responder(limits=Limits(actions_per_hour=1), mode="propose")
    first, second = (responder.respond(alert(subject=s), 0.0)[0] for s in "ab")
    assert responder.approve(first.action_id, 1.0, "ann").state == "done"
    refused = responder.approve(second.action_id, 2.0, "ann")
    assert (refused.state, refused.reason.split(":")[0]) == ("refused", "rate")
    assert recorder.did == [("requeue", "a")]
    assert responder.respond(alert(subject="b"), HOUR_S + 2.0)[0].state == "proposed"
