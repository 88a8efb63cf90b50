import numpy as np
import pytest

from headway.errors import ConfigError
from headway.schedule.network import SIZE, smallest_area_first
from headway.simulate.batch import course_of
from headway.simulate.episode import EASY
from headway.simulate.lublin import lublin
from headway.train.search import search, shaking


def courses(seed, misled=1.5):
    """A crowded machine whose runtimes are predicted badly: what teaches, what chooses."""
    rng = np.random.default_rng(seed)
    workload = lublin(rng, 2500, 64, load=1.2)
    told_s = np.exp(np.log(workload.runtime_s) + rng.normal(0.0, misled, 2500)).clip(1.0)
    windows = np.arange(0, 1500, 50), np.arange(1600, 2400, 50)
    return [[course_of(workload, told_s, told_s, part)] for part in windows]


def run(decisions, **options):
    taught, chosen = courses(0)
    return search(taught, chosen, 100, mode=EASY, decisions=decisions, **options)


def test_the_same_seed_and_decisions_give_the_same_weights():
    first, again = run(15_000, seed=3), run(15_000, seed=3, threads=1)
    np.testing.assert_array_equal(first.weights, again.weights)
    assert first.decisions == again.decisions >= 15_000


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    kept = tmp_path / "search.npz"
    whole = run(60_000, seed=1)
    stopped = run(30_000, seed=1, resume=kept)
    assert stopped.decisions < whole.decisions
    resumed = run(60_000, seed=1, resume=kept)
    # a stop validates once more, which may keep other weights but never moves the search
    assert resumed.decisions == whole.decisions
    assert set(whole.curve) <= set(resumed.curve)


def test_a_file_of_another_search_is_refused(tmp_path):
    kept = tmp_path / "search.npz"
    run(20_000, seed=1, resume=kept)
    with pytest.raises(ConfigError, match="another run"):
        run(20_000, seed=2, resume=kept)


def test_search_beats_the_rule_it_starts_from_where_that_is_misled():
    found = run(800_000, seed=0)
    assert found.validation < 0.97
    assert found.validation == min(value for _, value in found.curve)
    assert found.weights.shape == (SIZE,)
    assert not np.array_equal(found.weights, smallest_area_first())


def test_whoever_watches_may_stop_it():
    told = []

    def watch(share):
        told.append(share)
        return len(told) < 3

    found = run(10_000_000, seed=0, progress=watch)
    assert len(told) == 3
    assert told == sorted(told)
    assert found.decisions < 10_000_000
    assert len(found.curve) == 2  # the rule it starts from, and where it was stopped


def test_there_must_be_something_to_learn_from():
    taught, chosen = courses(0)
    for some, others, decisions in (([], chosen, 1), (taught, [], 1), (taught, chosen, 0)):
        with pytest.raises(ConfigError, match="search needs"):
            search(some, others, 100, mode=EASY, decisions=decisions)


def test_every_weight_is_shaken():
    assert shaking().shape == (SIZE,)
    assert (shaking() > 0.0).all()
