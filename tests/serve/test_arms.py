"""Each task is answered by the version it belongs to, and the answer says so."""

from dataclasses import replace

import pytest
from tests.serve.made_home import CREATED_S, make_home
from tests.serve.test_advisor import NOW_S, a_task

from headway.rollout import Plan, roll_back
from headway.serve import connect
from headway.serve.decisions import read_records
from headway.serve.rollouts import change, start
from headway.store import ModelStore

NAMES = ("history", "runtime", "memory", "sizing")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arms")
    for seed in (0, 1, 2):
        home = make_home(folder, seed=seed, created_s=CREATED_S + 10.0 * seed)[0]
    for name in NAMES:
        ModelStore(home).use(name, "v000001")
    return home


@pytest.fixture
def home(trained, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(trained / "models")
    return tmp_path / "home"


def at_stage(home, rollout, stage):
    """The rollout at a stage, as if it had come there."""
    change(home, rollout.rollout_id, lambda r: replace(r, stage=stage), by="", now_s=NOW_S)


def served(client, n=400, **fields):
    """Answers for n tasks."""
    return [client.size(a_task(**({"id": str(i)} | fields))) for i in range(n)]


def test_in_shadow_the_champion_answers_and_the_challengers_word_is_kept_beside(home):
    rollout = start(home, "v000002", now_s=NOW_S)
    client = connect(home, clock=lambda: NOW_S)
    answers = served(client, 5)
    client.close()
    assert {(a.arm, a.propensity) for a in answers} == {("champion", 1.0)}
    assert all("v000001" in a.version for a in answers)
    for record in read_records(home):
        (shadow,) = record["shadow"]
        assert (shadow["rollout_id"], "v000002" in shadow["version"]) == (rollout.rollout_id, True)
        (entry,) = record["rollouts"]
        assert entry[:3] == [rollout.rollout_id, 0, False]
        assert entry[3].endswith(record["id"])


def test_an_answer_is_signed_by_the_version_of_its_arm_and_raising_moves_nobody_back(home):
    rollout = start(home, "v000002", plan=Plan(shares=(0.05, 0.25, 0.5)), now_s=NOW_S)
    now = [NOW_S]
    client = connect(home, clock=lambda: now[0], is_logged=False)
    before = set()
    for stage, share in enumerate((0.05, 0.25, 0.5)):
        at_stage(home, rollout, stage)
        now[0] += 1.0
        answers = served(client)
        ours = {i for i, a in enumerate(answers) if a.arm == "challenger"}
        assert abs(len(ours) / 400 - share) < 0.08
        assert before <= ours
        for a in answers:
            version, chance = (
                ("v000002", share) if a.arm == "challenger" else ("v000001", 1 - share)
            )
            assert version in a.version
            assert a.propensity == pytest.approx(chance)
        before = ours
    change(home, "r000001", lambda r: roll_back(r, "x", now[0]), by="ann", now_s=now[0])
    now[0] += 1.0
    assert {(a.arm, a.version) for a in served(client, 50)} == {("", client.version)}


def test_a_user_keeps_the_arm_whatever_is_asked(home):
    start(home, "v000002", plan=Plan(shares=(0.5,), key="user"), now_s=NOW_S)
    client = connect(home, clock=lambda: NOW_S, is_logged=False)
    for user in map(str, range(8)):
        assert len({a.arm for a in served(client, 10, user=user)}) == 1


def test_two_rollouts_do_not_disturb_each_other(home):
    plan = Plan(shares=(0.4,))
    start(home, "v000002", plan=plan, now_s=NOW_S)
    start(home, "v000003", plan=plan, now_s=NOW_S)
    client = connect(home, clock=lambda: NOW_S, is_logged=False)
    answers = served(client, 1000)
    shares = {v: sum(v in a.version for a in answers) / 1000 for v in ("v000002", "v000003")}
    assert shares["v000002"] == pytest.approx(0.4, abs=0.05)
    assert shares["v000003"] == pytest.approx(0.6 * 0.4, abs=0.05)
    for a in answers:  # who belongs to the first is none of the second's
        assert len(a.rollouts) == (1 if "v000002" in a.version else 2)


def test_a_challenger_that_fails_never_fails_a_request(home):
    start(home, "v000002", plan=Plan(shares=(0.5,)), now_s=NOW_S)
    client = connect(home, clock=lambda: NOW_S, is_logged=False)
    (arm,) = client.arms._open
    client.arms._open = (replace(arm, models=replace(arm.models, history="no history")),)
    answers = served(client, 50)
    assert all("v000001" in a.version for a in answers)
    assert "cannot answer" in client.arms.broken["r000001"]
