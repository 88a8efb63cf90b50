import numpy as np
import pytest

from headway.errors import ConfigError
from headway.simulate.lublin import KINDS, lublin


@pytest.mark.parametrize("kind", KINDS)
def test_a_generated_workload_is_one_that_the_simulator_takes(kind):
    workload = lublin(np.random.default_rng(0), 2000, 256, kind=kind)
    assert (np.diff(workload.submit_s) >= 0.0).all()
    assert (workload.runtime_s >= 1.0).all()
    assert (workload.runtime_s <= np.exp(12.0)).all()
    assert workload.procs.min() == 1
    assert workload.procs.max() <= 256


def test_the_load_is_what_was_asked_for():
    workload = lublin(np.random.default_rng(1), 3000, 128, load=0.8)
    offered = np.dot(workload.procs, workload.runtime_s) / 128
    assert offered / (workload.submit_s[-1] - workload.submit_s[0]) == pytest.approx(0.8, rel=0.01)


def test_shares_of_widths_and_runtimes_are_as_published():
    workload = lublin(np.random.default_rng(2), 40_000, 128)
    serial = np.mean(workload.procs == 1)
    powers = np.mean((workload.procs > 1) & (workload.procs & (workload.procs - 1) == 0))
    assert serial == pytest.approx(0.244, abs=0.01)  # 0.244 of the model, 40,000 draws
    assert 0.576 <= powers < 0.64  # and some of the others happen to be powers of two
    log_s = np.log(workload.runtime_s)
    assert np.median(log_s[workload.procs == 1]) < np.median(log_s[workload.procs >= 64])


def test_arrivals_follow_the_hours_of_the_day():
    workload = lublin(np.random.default_rng(3), 60_000, 128)
    hour = (workload.submit_s // 3600 % 24).astype(int)
    counts = np.bincount(hour, minlength=24)
    assert counts[9:18].mean() > 2.0 * counts[2:6].mean()


def test_seeds_repeat():
    first, again = (lublin(np.random.default_rng(9), 100, 32, load=1.0) for _ in range(2))
    np.testing.assert_array_equal(first.submit_s, again.submit_s)
    np.testing.assert_array_equal(first.runtime_s, again.runtime_s)


@pytest.mark.parametrize(
    ("options", "word"),
    [({"kind": "grid"}, "kind"), ({"load": 0.0}, "load"), ({"jobs": 0}, "jobs")],
)
def test_what_cannot_be_generated_is_refused(options, word):
    settings = {"jobs": 10, "total_procs": 8} | options
    with pytest.raises(ConfigError, match=word):
        lublin(np.random.default_rng(0), **settings)
