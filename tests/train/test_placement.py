import numpy as np
import pytest
from tests.simulate.clusters import nodes_with, shapes_with

from headway.errors import ConfigError
from headway.schedule.placement import SIZE
from headway.simulate.nodes import admit
from headway.simulate.pods import allocated, inflate
from headway.train.placement import Evolution, search


def cluster():
    nodes = nodes_with([(32000, 128, 4, 1)] * 12 + [(48000, 256, 0, 0)] * 2)
    rows = [
        (6000, 12, 1, 460, 0), (12000, 24, 1, 1000, 0), (4000, 8, 1, 700, 0),
        (16000, 32, 0, 0, 0), (32000, 64, 4, 1000, 0),
    ]  # fmt: skip
    shapes = shapes_with(rows, share=[0.4, 0.3, 0.15, 0.1, 0.05])
    shape = np.repeat(np.arange(5), [40, 30, 15, 10, 5])
    return nodes, shapes, np.random.default_rng(0).permutation(shape)


def test_evolution_finds_the_top_of_a_hill():
    rng = np.random.default_rng(0)
    top = rng.normal(size=6)
    evolution = Evolution(np.zeros(6), 12)
    for _ in range(120):
        drawn = evolution.ask(rng)
        evolution.tell(-((drawn - top) ** 2).sum(axis=1))
    np.testing.assert_allclose(evolution.mean, top, atol=1e-2)


def test_a_search_repeats_and_admits_no_less_than_descent_on_new_lists():
    nodes, shapes, shape = cluster()
    found = search(nodes, shapes, shape, seed=0, generations=25, population=8)
    again = search(nodes, shapes, shape, seed=0, generations=25, population=8)
    np.testing.assert_array_equal(found.weights, again.weights)
    assert found.weights.shape == (SIZE,)
    assert found.curve[0] == 0.0  # it begins as descent
    assert found.placements > 25 * 10 * 50
    gained = []
    for seed in range(30):
        tasks = inflate(np.random.default_rng(100 + seed), shapes, shape, 48, 1.3)
        share = [
            allocated(nodes, shapes, tasks, admit(nodes, shapes, tasks, policy, weights=weights))
            for policy, weights in (("learned", found.weights), ("fgd", None))
        ]
        gained.append(share[0] - share[1])
    assert np.mean(gained) > -0.005


def test_a_list_that_begins_without_gpus_can_be_searched():
    nodes, shapes, _ = cluster()
    shape = np.repeat([3, 1], [90, 10])
    found = search(nodes, shapes, shape, seed=0, generations=4, population=4)
    assert np.isfinite(found.weights).all()


def test_progress_hears_every_generation():
    nodes, shapes, shape = cluster()
    heard = []
    found = search(nodes, shapes, shape, seed=1, generations=3, population=4, progress=heard.append)
    assert heard == found.curve.tolist()


def test_what_cannot_be_searched_is_refused():
    nodes, shapes, shape = cluster()
    with pytest.raises(ConfigError, match="got 0, 16"):
        search(nodes, shapes, shape, seed=0, generations=0)
    with pytest.raises(ConfigError, match="got 5, 2"):
        search(nodes, shapes, shape, seed=0, generations=5, population=2)
