import numpy as np

from headway.simulate.generated import LOADS, generated, predicted_course, workload_of


def test_courses_take_the_mixes_by_turns_and_have_windows_that_fit():
    courses = generated(np.random.default_rng(0), 3, 64, jobs=150, window=100)
    assert len(courses) == 3
    for course in courses:
        assert len(course.jobs.submit_s) == 150
        assert course.windows.max() + 100 <= 150
        assert (np.diff(course.jobs.submit_s) >= 0.0).all()
        assert course.jobs.procs.max() <= 64


def test_the_mix_of_all_jobs_has_the_drawn_load():
    drawn = [workload_of(np.random.default_rng(seed), "all", 300, 64) for seed in range(20)]
    loads = [np.dot(w.procs, w.runtime_s) / 64 / (w.submit_s[-1] - w.submit_s[0]) for w in drawn]
    assert min(loads) > LOADS[0] * 0.99
    assert max(loads) < LOADS[1] * 1.01
    assert max(loads) - min(loads) > 0.3


def test_separate_streams_hold_short_and_long_jobs_at_once():
    one = workload_of(np.random.default_rng(1), "separate", 2000, 128)
    early = one.runtime_s[:1000]
    assert np.mean(early < 60.0) > 0.3
    assert np.mean(early > 3600.0) > 0.02


def test_the_same_seed_gives_the_same_courses():
    first, second = (
        generated(np.random.default_rng(5), 2, 64, jobs=120, window=100) for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.jobs.submit_s, other.jobs.submit_s)


def test_predictions_err_and_requests_exceed_what_is_needed():
    rng = np.random.default_rng(0)
    workload = workload_of(rng, "all", 2000, 64)
    course = predicted_course(rng, workload, 100, apart=50)
    jobs = course.jobs
    assert (jobs.limit_s > jobs.runtime_s).all()
    assert ((jobs.order_s >= 1.0) & (jobs.order_s <= jobs.backfill_s)).all()
    assert (jobs.backfill_s <= jobs.limit_s).all()
    off = np.log(jobs.order_s / jobs.runtime_s)
    assert 0.1 < off.std() < 2.0
    covered = (jobs.runtime_s <= jobs.backfill_s).mean()
    assert 0.7 < covered < 0.9  # the quantile, and requests that are never too short
    assert course.windows.tolist() == list(range(0, 1901, 50))
