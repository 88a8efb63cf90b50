"""One policy for every preference: what its training promises."""

from dataclasses import replace

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.network import SIZE
from headway.schedule.objectives import OBJECTIVES
from headway.simulate.batch import course_of
from headway.simulate.episode import EASY
from headway.simulate.lublin import lublin
from headway.train import preferences
from headway.train.judge import judge_of
from headway.train.preferences import PLAIN, names_for, search_preferences, weights_of

JOBS = 60


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(preferences, "EVERY", 2)
    monkeypatch.setattr(preferences, "WINDOWS", 3)
    monkeypatch.setattr(preferences, "PAIRS", 3)
    monkeypatch.setattr(preferences, "JUDGED", 3)


@pytest.fixture(scope="module")
def courses():
    """A crowded machine of five users whose runtimes are predicted badly."""
    rng = np.random.default_rng(0)
    workload = replace(lublin(rng, 1200, 64, load=1.2), user=rng.integers(0, 5, 1200))
    told_s = np.exp(np.log(workload.runtime_s) + rng.normal(0.0, 1.0, 1200)).clip(1.0)
    windows = np.arange(0, 800, 20), np.arange(860, 1100, JOBS)
    return [[course_of(workload, told_s, told_s, part)] for part in windows]


def run(courses, decisions=6_000, **settings):
    given = {"mode": EASY, "decisions": decisions, "seed": 1, "threads": 1}
    return search_preferences(*courses, JOBS, **given | settings)


def test_the_same_seed_and_decisions_give_the_same_rows_twice(courses):
    one, other = run(courses), run(courses, threads=2)
    assert one.objectives == tuple(OBJECTIVES)
    assert one.matrix.shape == (len(OBJECTIVES), SIZE)
    np.testing.assert_array_equal(one.matrix, other.matrix)
    assert one.curve == other.curve
    assert one.decisions == other.decisions >= 6_000


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(courses, tmp_path):
    whole = run(courses, 20_000)
    asked = []

    def stops(share):
        asked.append(share)
        return len(asked) < 2

    run(courses, 20_000, resume=tmp_path / "run", progress=stops)
    again = run(courses, 20_000, resume=tmp_path / "run")
    assert len(asked) == 2
    np.testing.assert_array_equal(again.matrix, whole.matrix)
    assert again.decisions == whole.decisions


def test_a_file_of_another_run_is_refused(courses, tmp_path):
    run(courses, 1, resume=tmp_path / "run")
    with pytest.raises(ConfigError, match="another run"):
        run(courses, 1, resume=tmp_path / "run", seed=2)


def test_nothing_to_do_is_refused(courses):
    with pytest.raises(ConfigError, match="decisions of at least 1"):
        run(courses, 0)


def test_what_is_found_is_never_worse_on_validation_than_what_it_began_as(courses):
    found = run(courses, 20_000)
    assert found.validation == min(value for _, value in found.curve) <= found.curve[0][1]
    np.testing.assert_allclose(found.weights, found.matrix.mean(axis=0))


def test_rows_start_as_the_best_plain_order_of_their_objective(courses, monkeypatch):
    monkeypatch.setattr(preferences, "STEP", 0.0)
    found = run(courses, 1)
    plain = {weights_of(order).tobytes() for order in PLAIN}
    assert {row.tobytes() for row in found.matrix} <= plain
    assert len({row.tobytes() for row in found.matrix}) > 1


def test_a_single_objective_moves_its_row_alone(courses):
    only = np.array([0.0, 1.0])
    began = run(courses, 1, names=["wait", "slowdown"], only=only)
    found = run(courses, 20_000, names=["wait", "slowdown"], only=only)
    np.testing.assert_array_equal(found.matrix[0], began.matrix[0])
    assert found.objectives == ("wait", "slowdown")


def test_fairness_is_left_out_where_users_are_not_known(courses):
    (known,), _ = courses
    strangers = replace(known, siblings=known.siblings._replace(user=np.full(1200, -1)))
    assert names_for([known]) == list(OBJECTIVES)
    assert names_for([known, strangers]) == [n for n in OBJECTIVES if n != "fairness"]
    with pytest.raises(NotEnoughData, match="users are not known"):
        run([[strangers], [strangers]], 1, names=["fairness"])


def test_a_preference_is_a_share_of_each_objective():
    rng = np.random.default_rng(0)
    drawn = np.array([preferences._preference(rng, 4) for _ in range(400)])
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    assert (drawn >= 0.0).all()
    assert 0.4 < (drawn.max(axis=1) == 1.0).mean() < 0.6  # every other one names one alone


def test_a_schedule_of_a_window_is_that_of_its_tasks(courses):
    judge = judge_of(EASY, *courses)
    window, _ = judge.window(courses[0][0], 100, JOBS)
    schedule, made = judge.schedule(weights_of({"age": -1.0}), window)
    assert made > 0
    assert (schedule.start_s >= schedule.submit_s).all()
    assert len(schedule.user) == JOBS
