import numpy as np

from headway.schedule.dag_rules import ARRIVAL, RULES, WORK, Rule, choose_by_rule
from headway.schedule.dag_view import EXECUTORS, FREE, JOB, JOBS, STAGE, STAGES, view_of


def view_with(jobs, stages, free, executors):
    """jobs: dicts of columns; stages: (job, dict of columns), in order of their jobs."""
    view = view_of(len(jobs), len(stages))
    view.jobs[:], view.stages[:] = 0.0, 0.0
    for k, job in enumerate(jobs):
        for name, value in ({"total_s": 1.0, "left_s": 1.0, "path_s": 1.0} | job).items():
            view.jobs[k, JOB.index(name)] = value
    for m, (job, stage) in enumerate(stages):
        view.row[m], view.number[m] = job, m
        for name, value in ({"tasks": 1.0, "mean_s": 1.0, "is_ready": 1.0} | stage).items():
            view.stages[m, STAGE.index(name)] = value
    view.counts[JOBS], view.counts[STAGES] = len(jobs), len(stages)
    view.counts[FREE], view.counts[EXECUTORS] = free, executors
    return view


def test_first_come_gives_all_that_are_free_to_the_first_job():
    view = view_with([{}, {}], [(0, {"tasks": 9.0}), (1, {"tasks": 9.0})], 5, 10)
    assert choose_by_rule(view, RULES["fifo"]) == (0, 5)


def test_no_stage_gets_more_than_its_tasks():
    view = view_with([{}], [(0, {"tasks": 3.0})], 5, 10)
    assert choose_by_rule(view, RULES["fifo"]) == (0, 3)


def test_the_least_work_and_the_shortest_path_go_first():
    jobs = [{"left_s": 9.0, "path_s": 2.0}, {"left_s": 5.0, "path_s": 4.0}]
    view = view_with(jobs, [(0, {}), (1, {})], 1, 10)
    assert choose_by_rule(view, RULES["shortest"])[0] == 1
    assert choose_by_rule(view, RULES["critical"])[0] == 0


def test_of_one_job_the_stage_on_the_longest_path_goes_first():
    view = view_with([{}], [(0, {"path_s": 2.0}), (0, {"path_s": 7.0})], 1, 10)
    assert choose_by_rule(view, RULES["fifo"])[0] == 1


def test_a_fair_share_is_not_exceeded_unless_executors_would_be_idle():
    view = view_with([{"busy": 5.0}, {"busy": 5.0}], [(0, {"tasks": 9.0})], 2, 10)
    assert choose_by_rule(view, Rule(ARRIVAL, 0.0, 1, 0, 0, 0))[0] == -1
    assert choose_by_rule(view, Rule(ARRIVAL, 0.0, 1, 1, 0, 0)) == (0, 2)


def test_weights_below_zero_give_small_jobs_more():
    jobs = [{"total_s": 90.0}, {"total_s": 10.0}]
    view = view_with(jobs, [(0, {"tasks": 99.0}), (1, {"tasks": 99.0})], 10, 10)
    shares = [
        choose_by_rule(view, Rule(key, alpha, 1, 0, 0, 0))[1]
        for key, alpha in ((ARRIVAL, 0.0), (ARRIVAL, -1.0), (ARRIVAL, 1.0))
    ]
    assert shares == [5, 1, 9]
    view.jobs[:, JOB.index("left_s")] = view.jobs[:, JOB.index("total_s")]
    assert choose_by_rule(view, Rule(WORK, -1.0, 1, 0, 0, 0)) == (1, 9)


def test_an_executor_that_stays_serves_its_own_job_first():
    jobs = [{}, {"local": 2.0, "busy": 8.0}]
    view = view_with(jobs, [(0, {"tasks": 9.0}), (1, {"tasks": 9.0})], 4, 10)
    assert choose_by_rule(view, Rule(ARRIVAL, 0.0, 0, 0, 1, 0)) == (1, 2)


def test_a_stage_that_is_not_ready_is_chosen_only_by_rules_that_hold():
    view = view_with([{}], [(0, {"is_ready": 0.0})], 4, 10)
    assert choose_by_rule(view, Rule(ARRIVAL, 0.0, 0, 0, 0, 0))[0] == -1
    assert choose_by_rule(view, Rule(ARRIVAL, 0.0, 0, 0, 0, 1))[0] == 0


def test_nothing_to_choose_is_no_choice():
    view = view_with([{}], [], 4, 10)
    assert np.array_equal(choose_by_rule(view, RULES["fair"]), (-1, 0))
