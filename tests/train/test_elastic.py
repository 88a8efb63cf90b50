import numpy as np
import pytest
from tests.simulate.test_elastic import load_with

from headway.errors import ConfigError
from headway.schedule.elastic import SIZE, controller_of, thresholds
from headway.simulate.elastic import Terms, part_of, play
from headway.simulate.elastic_batch import LED, OWN, ElasticBatch, Prices, avoidable
from headway.train.elastic import train_elastic
from headway.train.thresholds import KINDS, tune_thresholds

TERMS = Terms(boot_s=240.0, every_s=300.0, least=0, most=24)
PRICES = Prices()
STEPS = 3 * (LED + OWN)


def made_load(seed=0):
    """Tasks that come in bursts by day."""
    rng = np.random.default_rng(seed)
    at_s = np.sort(rng.uniform(0.0, STEPS * 300.0, 3000))
    at_s = at_s[np.sin(2.0 * np.pi * at_s / 86400.0) > rng.uniform(-1.0, 1.0, len(at_s))]
    rows = [(at, float(rng.lognormal(6.5, 1.0)), int(rng.integers(1, 5))) for at in at_s]
    return load_with([*rows, (STEPS * 300.0, 60.0, 1)])


def test_the_rule_itself_costs_about_what_it_cost_when_it_led_alone():
    rule = thresholds(600.0)
    batch = ElasticBatch(made_load(), rule, TERMS, PRICES, 8, seed=0)
    costs = np.array([batch.step(np.zeros((8, 4)))[0] for _ in range(300)])
    assert abs(costs.mean()) < 0.02  # of its mean: but for what ran before it began


def test_steps_cost_what_playing_costs():
    load, rule = made_load(), thresholds(600.0)
    batch = ElasticBatch(load, rule, TERMS, PRICES, 1, seed=1)
    _, spent, _ = play(load, controller_of(rule), TERMS, STEPS * 300.0)
    assert batch.unit == pytest.approx(avoidable(spent[-1], PRICES) / STEPS)
    outputs = np.array([[0.0, 0.0, 20.0, 0.0]])  # nothing is released any more
    costs = [batch.step(outputs)[0][0] for _ in range(100)]
    assert np.mean(costs[50:]) > 0.5


def train(**options):
    load = made_load()
    half_s = load.submit_s[-1] * 0.7
    settings = {"decisions": 1, "seed": 0}
    return train_elastic(
        part_of(load, 0.0, half_s), part_of(load, half_s, np.inf), thresholds(600.0), TERMS,
        PRICES, **settings | options,
    )  # fmt: skip


def test_training_repeats_and_goes_on_where_it_was_stopped(tmp_path):
    whole = train(decisions=70_000, resume=tmp_path / "whole.npz")
    file = tmp_path / "run.npz"
    part = train(decisions=70_000, resume=file, progress=lambda share: False)
    assert part.decisions < whole.decisions
    again = train(decisions=70_000, resume=file)
    np.testing.assert_array_equal(whole.weights, again.weights)
    assert whole.curve == again.curve
    assert whole.weights.shape == (SIZE,)
    assert len(whole.curve) == 3


def test_training_needs_decisions():
    with pytest.raises(ConfigError, match="decisions must be positive, got 0"):
        train(decisions=0)


def test_thresholds_are_tuned_by_what_they_cost_in_the_end():
    load = made_load()
    found = tune_thresholds(load, TERMS, PRICES)
    assert set(found) == {*KINDS, "fixed"}
    assert found["fixed"].terms.least == found["fixed"].terms.most
    for tuned in found.values():
        _, spent, _ = play(load, controller_of(tuned.weights), tuned.terms, load.submit_s[-1])
        assert tuned.cost == pytest.approx(avoidable(spent[-1], PRICES))
    assert min(one.cost for one in found.values()) < 0.7 * found["fixed"].cost
    dear = tune_thresholds(load, TERMS, Prices(waiting_hour=1000.0))
    assert dear["timeout"].settings["timeout_s"] > found["timeout"].settings["timeout_s"]
