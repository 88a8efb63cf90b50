import numpy as np
import pytest
from tests.predict.test_headroom import tasks_with

from headway.errors import ConfigError
from headway.predict.headroom import constants, known_of, picked
from headway.train.headroom import best_fixed, judgeable, totals, train_headroom


def made_known(seed=0, n=3000):
    """A steady class and one that varies: no single factor is right for both."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        is_steady = rng.random() < 0.5
        peak = rng.uniform(4.0, 4.04) if is_steady else 4.0 * rng.lognormal(0.0, 0.5)
        name = ("steady" if is_steady else "varied") + str(rng.integers(8))
        rows.append((name, 100.0 * i, 100.0 * i + 600.0, float(peak), 64.0))
    return judgeable(known_of(tasks_with(rows)))


def halves(known):
    middle = len(known.x) // 2
    return picked(known, np.arange(middle)), picked(known, np.arange(middle, len(known.x)))


def test_ppo_wastes_less_than_fixed_headroom_where_classes_differ():
    first, second = halves(made_known())
    fixed = best_fixed([first], by_level=True)
    found = train_headroom([first], [second], fixed, decisions=300_000, seed=0)
    later = [made_known(seed=1)]
    assert found.curve[-1][1] < 0.95
    assert totals(found.weights, later)[0] < 0.95 * totals(fixed, later)[0]


def test_training_repeats_and_goes_on_where_it_was_stopped(tmp_path):
    parts = [[part] for part in halves(made_known(n=400))]
    settings = {"decisions": 200_000, "seed": 3}
    whole = train_headroom(*parts, constants(1.1), **settings)
    file = tmp_path / "run.npz"
    part = train_headroom(
        *parts, constants(1.1), **settings, resume=file, progress=lambda share: False
    )
    assert part.decisions < whole.decisions
    again = train_headroom(*parts, constants(1.1), **settings, resume=file)
    np.testing.assert_array_equal(whole.weights, again.weights)
    assert whole.curve == again.curve


def test_the_best_constants_are_better_with_one_for_each_level():
    known = [made_known(n=400)]
    one, three = (totals(best_fixed(known, by_level=by_level), known) for by_level in (False, True))
    assert three < one


def test_training_needs_something():
    known = [made_known(n=50)]
    with pytest.raises(ConfigError, match="at least 1"):
        train_headroom(known, known, constants(1.1), decisions=0)
