import json

import numpy as np
import pytest
from tests.predict.made_up import taught

from headway.features import NAMES
from headway.predict.neural import Neural

COLUMNS = ("user", "cpus", "limit_s", "hour", "user.ewma_log", "user.ended", "all.ewma_log")
X, Y = taught(600)
FREE = np.zeros(len(Y), dtype=bool)


def made(n=500, **settings):
    member = Neural(COLUMNS, keys=["user"], cap="limit_s", first_fit=250, **settings)
    member.learn(X.take(slice(0, n)), Y[:n], FREE[:n])
    return member


@pytest.fixture(scope="module")
def member():
    return made()


def test_it_finds_what_users_have_in_common(member):
    # as for the trees: a perfect median errs by 0.24, a constant by 1.0
    estimate = member.predict(X.take(slice(500, 600)))
    assert np.mean(np.abs(np.log(estimate.value / Y[500:]))) < 0.35
    covered = np.mean(Y[500:, None] <= estimate.quantiles, axis=0)
    assert covered[0] < 0.35 < 0.65 < covered[-1]


def test_fits_repeat_by_seed_and_differ_between_seeds():
    rows = X.take(slice(500, 520))
    one, same, other = (
        made(300, seed=seed, steps=(10, 5)).predict(rows).quantiles for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_the_seed_of_everybody_else_is_left_alone():
    import torch

    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    made(250, steps=(5, 5))
    assert torch.equal(torch.rand(3), expected)


def test_a_later_fit_goes_on_from_the_weights_of_the_first():
    first, second = made(250, steps=(20, 1)), made(400, steps=(20, 1))
    rows = X.take(slice(500, 600))
    assert second.predict(rows).made_by[0] == "neural-2"
    moved = np.abs(np.log1p(second.predict(rows).value) - np.log1p(first.predict(rows).value))
    assert np.median(moved) < 0.3  # a single step does not go far


def test_what_is_not_known_and_what_was_never_seen_is_answered(member):
    values = X.values[:3].copy()
    values[0, X.names.index("cpus")] = np.nan
    values[1, X.names.index("user")] = 10_000.0  # a user that nobody knows
    values[2, X.names.index("cpus")] = 1e12
    strange = type(X)(X.names, values, X.keys, X.at_s[:3], X.version)
    assert np.isfinite(member.predict(strange).quantiles).all()


def test_lower_bounds_below_what_is_believed_count_for_no_level(member):
    told = made(250, steps=(60, 60))
    window = told._window
    window.censored = np.ones(len(window.x), dtype=bool)
    window.log_y = np.zeros(len(window.x))
    assert told._counts().sum() == 0.0


def test_it_is_saved_as_safetensors_and_settings(member):
    files = member.save()
    assert set(files) == {"neural.json", "neural.npz", "neural.safetensors"}
    assert json.loads(files["neural.json"])["keys"] == ["user"]
    assert set(COLUMNS) <= set(NAMES)
