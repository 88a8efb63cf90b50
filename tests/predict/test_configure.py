"""Configurations are suggested that are cheap and in time, with reasons, and the search ends."""

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.predict.configure import Configuration, Configurer, Run, shared_effects

GB = 10**9
NODES = {"slow": (0.10, 1.0), "fast": (0.12, 0.6), "dear": (0.40, 0.5)}
CANDIDATES = [
    Configuration(node=node, cpus=cpus, price_hour=price * cpus)
    for node, (price, _) in NODES.items()
    for cpus in (1.0, 2.0, 4.0)
]
BY_MEMORY = [
    Configuration(cpus=1.0, memory_bytes=m * GB, price_hour=0.05 + 0.01 * m) for m in (1, 2, 4, 8)
]


def seconds(c, size=1.0):
    """Amdahl-like truth of the made-up task."""
    return 100.0 * size * NODES[c.node][1] / c.cpus**0.8


def searched(deadline_s, trials=8, seed=0, **settings):
    rng, tuner = np.random.default_rng(seed), Configurer(CANDIDATES, deadline_s, **settings)
    for _ in range(trials):
        chosen = tuner.suggest(1e9)[0].configuration
        took_s = seconds(chosen) * np.exp(rng.normal(0.0, 0.03))
        tuner.learn(Run(configuration=chosen, input_bytes=1e9, runtime_s=took_s))
    return tuner


def cheapest(deadline_s):
    return min(
        (c for c in CANDIDATES if seconds(c) <= deadline_s),
        key=lambda c: seconds(c) * c.price_hour,
    )


@pytest.mark.parametrize("deadline_s", [25.0, 45.0, 90.0])
@pytest.mark.parametrize("seed", range(3))
def test_after_eight_runs_the_best_of_nine_costs_little_more_than_the_cheapest(deadline_s, seed):
    found = searched(deadline_s, seed=seed).best(1e9).configuration
    wanted = cheapest(deadline_s)
    assert seconds(found) <= deadline_s
    assert seconds(found) * found.price_hour < 1.16 * seconds(wanted) * wanted.price_hour


def test_a_suggestion_says_what_it_costs_how_sure_and_why():
    best = searched(90.0).best(1e9)
    low, high = best.cost_90
    assert low < best.expected_cost < high
    assert best.runtime_90_s[0] < seconds(best.configuration) < best.runtime_90_s[1]
    assert 0.0 <= best.miss_probability <= 0.1
    assert "misses the deadline in at most 10%" in best.why
    assert "of 8 runs were with it" in best.why


def test_the_search_ends_when_nothing_more_is_to_be_saved():
    tuner = searched(90.0, trials=12)
    last = tuner.suggest(1e9)[0]
    assert last.is_final
    assert last.configuration == tuner.best(1e9).configuration
    eager = searched(90.0, trials=3, stop_share=1e-9).suggest(1e9)[0]
    assert not eager.is_final
    assert "expected to save" in eager.why


def test_a_deadline_that_nothing_meets_is_said():
    best = searched(5.0).best(1e9)
    assert best.miss_probability > 0.5
    assert "none is in time surely enough" in best.why
    assert not searched(5.0).suggest(1e9)[0].is_final


def test_a_batch_is_spread():
    batch = searched(45.0, trials=1, stop_share=1e-6).suggest(1e9, n=3)
    assert len({s.configuration.key for s in batch}) >= 2


def test_suggesting_changes_nothing():
    tuner = searched(90.0)
    assert tuner.suggest(1e9, n=2) == tuner.suggest(1e9, n=2)


def test_a_larger_input_is_expected_to_take_longer():
    tuner = Configurer(CANDIDATES, 90.0)
    for size in (1.0, 2.0, 4.0):
        run_s = seconds(CANDIDATES[0], size)
        tuner.learn(Run(configuration=CANDIDATES[0], input_bytes=size * 1e9, runtime_s=run_s))
    by_size = [tuner.best(size * 1e9) for size in (1.0, 8.0)]
    assert by_size[0].runtime_s < 0.4 * by_size[1].runtime_s


def test_a_prior_that_knows_needs_fewer_runs():
    effects = {c.key: np.log(seconds(c)) for c in CANDIDATES}

    def prior(configurations, size):
        return np.array([effects[c.key] for c in configurations])

    warm, cold = (
        searched(90.0, trials=2, prior=before, level_spread=spread)
        for before, spread in ((prior, 0.1), (None, 3.0))
    )
    assert warm.best(1e9).configuration == cheapest(90.0)
    assert warm.best(1e9).miss_probability < cold.best(1e9).miss_probability


def test_effects_of_configurations_are_shared_over_tasks():
    rng = np.random.default_rng(1)
    runs = []
    for task in range(6):
        level = rng.normal(3.0, 1.0)
        for c in CANDIDATES:
            took_s = np.exp(level) * seconds(c) / 100.0
            runs.append((f"task{task}", Run(configuration=c, input_bytes=None, runtime_s=took_s)))
    effects = shared_effects(runs)
    truth = np.log([seconds(c) for c in CANDIDATES])
    found = np.array([effects[c.key] for c in CANDIDATES])
    np.testing.assert_allclose(found - found.mean(), truth - truth.mean(), atol=0.15)
    assert shared_effects([]) == {}


def test_memory_that_did_not_suffice_is_left_alone():
    tuner = Configurer(BY_MEMORY, 100.0)
    for c in [*BY_MEMORY, *BY_MEMORY[2:3] * 2]:
        fails = c.memory_bytes < 4 * GB
        tuner.learn(
            Run(
                configuration=c, input_bytes=1e9, runtime_s=2.0 if fails else 50.0, has_failed=fails
            )
        )
    best = tuner.best(1e9)
    assert best.configuration.memory_bytes == 4 * GB
    assert best.miss_probability < 0.1


def test_wrong_requests_are_refused():
    with pytest.raises(ConfigError, match="candidates must not be empty"):
        Configurer([], 10.0)
    with pytest.raises(ConfigError, match="deadline_s must be above 0"):
        Configurer(CANDIDATES, 0.0)
    with pytest.raises(ConfigError, match="price_hour"):
        Configurer([Configuration(node="free", price_hour=0.0)], 10.0)
    with pytest.raises(ConfigError, match="n must be at least 1"):
        Configurer(CANDIDATES, 10.0).suggest(n=0)
    with pytest.raises(ConfigError, match="runtime_s must be"):
        Configurer(CANDIDATES, 10.0).learn(
            Run(configuration=CANDIDATES[0], input_bytes=None, runtime_s=-1.0)
        )
