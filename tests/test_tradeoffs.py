"""The tradeoffs of a history: points, front, volumes and moves."""

import gzip
import json

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.history import open_traces
from headway.schedule.learned import learned_named
from headway.schedule.objectives import OBJECTIVES
from headway.simulate.workload import Workload
from headway.tradeoffs import AXES, WEEK_S, preferences_of, tradeoffs, volumes, weekly
from tests.test_cli import headway
from tests.test_training import nothing, trace_file


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    return trace_file(tmp_path_factory.mktemp("trace") / "crowded.swf")


@pytest.fixture(scope="module")
def document(trace):
    shipped = learned_named("learned:preferences")
    return tradeoffs(open_traces([trace])[0], shipped, progress=nothing)


def test_rules_and_preferences_stand_beside_each_other(document):
    points = document["points"]
    assert {p["policy"] for p in points if p["prefer"] is None} >= {"fcfs", "saf", "unicep"}
    assert sum(p["prefer"] is not None for p in points) == len(preferences_of(list(OBJECTIVES)))
    assert all(p["values"].keys() == OBJECTIVES.keys() for p in points)
    assert 0 < document["tasks"] < 500
    assert json.dumps(document)


def test_nothing_on_the_front_is_beaten(document):
    front = [p for p in document["points"] if p["is_on_front"]]
    assert front
    for one in front:
        for other in document["points"]:
            less = [other["values"][name] - one["values"][name] for name in AXES]
            assert max(less) >= 0.0 or min(less) == 0.0


def test_volumes_are_shares_and_more_choices_cover_more(document):
    covered = document["hypervolume"]
    assert covered["reference"].keys() == set(AXES)
    assert 0.0 <= max(covered["rules"], covered["preferences"]) <= covered["together"] <= 1.0


def test_a_volume_is_a_share_of_the_box_to_the_reference():
    reference = np.zeros(2)
    sets = {"a": np.array([[-1.0, -1.0]]), "b": np.array([[-2.0, -0.5], [-0.5, -2.0]])}
    assert volumes(sets, reference) == pytest.approx({"a": 0.25, "b": 1.75 / 4.0})


def test_moves_start_from_equal_preferences_and_name_one_objective_each(document):
    moves = {move["to"]: move for move in document["moves"]}
    assert moves.keys() == OBJECTIVES.keys()
    alike = next(p for p in document["points"] if p["prefer"])["values"]
    alone = next(p for p in document["points"] if p["prefer"] == {"cost": 1.0})["values"]
    assert moves["cost"]["gives"] == pytest.approx(alone["cost"] / alike["cost"] - 1.0)
    assert set(moves["cost"]["costs"]) == set(OBJECTIVES) - {"cost"}
    assert all(0 <= move["weeks_better"] <= move["weeks"] for move in moves.values())


def test_a_week_is_judged_by_its_own_tasks():
    submit_s = np.arange(120) * WEEK_S / 60.0
    part = Workload(
        submit_s=submit_s, runtime_s=np.full(120, 10.0), requested_s=np.full(120, 10.0),
        procs=np.ones(120, np.int64), rows=np.arange(120), total_procs=200,
        user=np.zeros(120, np.int64),
    )  # fmt: skip
    waited_s = np.repeat([5.0, 30.0], 60)
    found = weekly(part, submit_s + waited_s, ["wait", "fairness"])
    assert found.tolist() == [[5.0, 1.0], [30.0, 1.0]]
    assert weekly(part.part(0, 20), submit_s[:20], ["wait"]).shape == (0, 1)


def test_a_policy_that_takes_no_preferences_is_refused(trace):
    with pytest.raises(ConfigError, match="trained for preferences"):
        tradeoffs(open_traces([trace])[0], learned_named("learned:default"), progress=nothing)


def test_a_history_without_users_is_refused_for_fairness(trace, tmp_path):
    lines = [
        line if line.startswith(";") else " ".join([*line.split()[:11], "-1", *line.split()[12:]])
        for line in trace.read_text().splitlines()
    ]
    (tmp_path / "strangers.swf").write_text("\n".join(lines) + "\n")
    with pytest.raises(NotEnoughData, match="does not name users"):
        tradeoffs(
            open_traces([tmp_path / "strangers.swf"])[0], learned_named("learned:preferences"),
            progress=nothing,
        )  # fmt: skip


def test_the_command_draws_the_front_of_a_slice_of_a_real_trace(data, tmp_path):
    with gzip.open(data / "scheduling/swf/CTC-SP2-1996-3.1-cln.swf.gz", "rt") as file:
        lines = [line for line, _ in zip(file, range(1600), strict=False)]
    (tmp_path / "slice.swf").write_text("".join(lines))
    run = headway("tradeoffs", "slice.swf", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["history"] == "slice.swf"
    assert found.keys() >= {"points", "hypervolume", "moves", "objectives", "seconds"}
    page = (tmp_path / "report/index.html").read_text()
    assert "polyline" in page
    assert json.loads((tmp_path / "report/summary.json").read_text())["points"] == found["points"]


def test_a_preference_stands_in_the_rows_of_simulate(trace, tmp_path):
    words = ("simulate", trace, "--policy", "saf,learned:preferences", "--prefer")
    run = headway(*words, "wait=1,fairness=3", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    rule, learned = json.loads(run.stdout)
    assert learned["prefer"] == {"wait": 1.0, "fairness": 3.0}
    assert "prefer" not in rule
    other = json.loads(headway(*words, "utilisation=1", "--json", cwd=tmp_path).stdout)[1]
    assert other["mean_wait_s"] != learned["mean_wait_s"]


@pytest.mark.parametrize(
    ("policy", "prefer", "said"),
    [
        ("saf", "wait=1", "needs a learned policy"),
        ("learned:default", "wait=1", "takes none"),
        ("learned:preferences", "speed=1", "'speed'"),
        ("learned:preferences", "wait", "prefer must be NAME=NUMBER"),
        ("learned:preferences", "wait=1,wait=2", "twice"),
    ],
)
def test_what_cannot_be_preferred_is_one_sentence(trace, tmp_path, policy, prefer, said):
    run = headway("simulate", trace, "--policy", policy, "--prefer", prefer, cwd=tmp_path)
    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr
