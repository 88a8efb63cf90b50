import numpy as np
import pytest
from tests.schedule.test_dag_rules import view_with

from headway.errors import ConfigError, InputError
from headway.schedule.dag_features import MANAGER, WORKER
from headway.schedule.dag_network import (
    SIZE,
    choose_by_levels,
    flat,
    levels_of,
    load_levels,
    save_levels,
    shares_and_shortest,
)  # fmt: skip
from headway.schedule.dag_view import EXECUTORS


def choose(view, levels):
    return choose_by_levels(view, levels, np.empty(len(MANAGER)))


def test_the_start_is_equal_shares_and_the_least_work_left_first():
    jobs = [{"left_s": 500.0}, {"left_s": 30.0}]
    view = view_with(jobs, [(0, {"tasks": 99.0}), (1, {"tasks": 99.0})], 10, 10)
    assert choose(view, shares_and_shortest()) == (1, 5)


def test_a_job_at_its_width_gets_no_more_but_keeps_its_own():
    jobs = [{"left_s": 9.0, "busy": 5.0}, {"left_s": 9.0, "busy": 5.0}]
    stages = [(0, {"tasks": 99.0}), (1, {"tasks": 99.0})]
    assert choose(view_with(jobs, stages, 2, 10), shares_and_shortest())[0] == -1
    jobs[1]["local"] = 2.0
    assert choose(view_with(jobs, stages, 2, 10), shares_and_shortest()) == (1, 2)


def test_the_worker_sets_the_width():
    levels = shares_and_shortest()
    view = view_with([{"left_s": 9.0}], [(0, {"tasks": 99.0})], 40, 40)
    assert choose(view, levels) == (0, 40)
    levels.width[WORKER.index("one")] = np.log(0.25)
    assert choose(view, levels) == (0, 10)
    levels.width[WORKER.index("one")] = -99.0
    assert choose(view, levels) == (0, 1)


def test_a_stage_that_scores_nothing_leaves_executors_idle():
    levels = shares_and_shortest()
    levels.score[MANAGER.index("one")] = -99.0
    assert choose(view_with([{}], [(0, {})], 4, 4), levels) == (-1, 0)


def test_weights_of_both_levels_are_one_flat_array():
    weights = np.random.default_rng(0).normal(size=SIZE)
    np.testing.assert_array_equal(flat(levels_of(weights)), weights)


def test_jobs_in_another_order_get_the_same():
    jobs = [{"left_s": 500.0, "age_s": 3.0}, {"left_s": 30.0, "age_s": 9.0}, {"left_s": 90.0}]
    stages = [{"tasks": 4.0, "mean_s": 2.0}, {"tasks": 7.0}, {"tasks": 5.0, "is_ready": 0.0}]
    levels = levels_of(
        0.1 * np.random.default_rng(2).normal(size=SIZE) + flat(shares_and_shortest())
    )
    row, width = choose(view_with(jobs, list(enumerate(stages)), 6, 20), levels)
    backwards = view_with(jobs[::-1], list(enumerate(stages[::-1])), 6, 20)
    assert backwards.counts[EXECUTORS] == 20
    assert choose(backwards, levels) == (2 - row, width)


def test_a_saved_policy_answers_the_same_and_says_what_it_is(tmp_path):
    weights = np.random.default_rng(1).normal(size=SIZE)
    save_levels(tmp_path / "policy.npz", weights, {"algo": "hierarchical", "seed": "3"})
    levels, facts = load_levels(tmp_path / "policy.npz")
    np.testing.assert_array_equal(flat(levels), weights)
    assert facts == {"algo": "hierarchical", "seed": "3"}


def test_a_policy_of_other_features_is_refused(tmp_path):
    path = tmp_path / "policy.npz"
    np.savez(path, weights=np.zeros(3), version=1, names=np.array(["x"]), facts=np.zeros((0, 2)))
    with pytest.raises(ConfigError, match="of version 1, this is version 2"):
        load_levels(path)


def test_what_is_no_policy_is_refused(tmp_path):
    path = tmp_path / "policy.npz"
    for content in (b"", b"nonsense"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a policy for workflows"):
            load_levels(path)
    np.savez(path, weights=np.zeros(SIZE))
    with pytest.raises(InputError, match="not a policy for workflows"):
        load_levels(path)
    save_levels(path, np.full(SIZE, np.nan), {})
    with pytest.raises(InputError, match="not numbers"):
        load_levels(path)


def test_the_width_may_differ_between_stages_of_a_job():
    levels = shares_and_shortest()
    levels.width[WORKER.index("stage_swells")] = -1.0
    stages = [(0, {"tasks": 99.0, "swells": np.log(4.0)}), (0, {"tasks": 99.0, "path_s": 1.0})]
    view = view_with([{"left_s": 9.0}], stages, 40, 40)
    assert choose(view, levels) == (1, 40)
    view = view_with([{"left_s": 9.0}], stages[:1], 40, 40)
    assert choose(view, levels) == (0, 10)
