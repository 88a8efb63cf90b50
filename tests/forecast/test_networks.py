import numpy as np
import pytest

from headway.errors import ConfigError, InputError
from headway.forecast import MEMBERS, Neural, forecaster, load
from headway.forecast.boosted import FARTHEST
from headway.forecast.neural import NETWORKS
from headway.stats import interval_coverage, mase

HOUR = 3600.0
SEASONS = (8,)


def panel(n=400, seed=0):
    """Three series of one rule, each of another size: a wave and noise that fades by half."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    y = np.empty((n, 3))
    for i in range(3):
        noise = np.zeros(n)
        for k in range(1, n):
            noise[k] = 0.5 * noise[k - 1] + rng.normal(0, 1)
        y[:, i] = 10.0**i * (20 + 4 * np.sin(2 * np.pi * (t + i) / 8) + noise)
    return y


def learned(member, y, begin=0):
    member.learn(HOUR * np.arange(begin, begin + len(y)), y)
    return member


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_nearer_than_the_season_before_and_its_band_holds(name):
    # knowing the wave alone would be about 0.7 of the error of the season before
    y = panel()
    made = learned(Neural(name, SEASONS, horizon=8, steps=40), y[:300])
    scores, naive, said, truth = [], [], [], []
    for start in range(300, 390, 8):
        answer = made.forecast(8)
        scores.append(mase(y[start : start + 8], answer.value, y[:start], 8))
        naive.append(mase(y[start : start + 8], y[start - 8 : start], y[:start], 8))
        said.append(answer.quantiles)
        truth.append(y[start : start + 8])
        learned(made, y[start : start + 8], start)
    assert np.mean(scores) < 0.95 * np.mean(naive)
    covered = interval_coverage(
        np.concatenate(truth), np.concatenate(said), made.forecast(1).levels, 0.8
    )
    assert 0.6 < covered < 0.95


def test_seeds_differ_and_repeat():
    y = panel(120)
    one, same, other = (
        learned(Neural("gru", SEASONS, horizon=4, steps=3, seed=seed), y).forecast(4).quantiles
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_the_door_fits_networks_and_trees_for_the_horizon_that_is_needed():
    settings = {name: forecaster(name, (8,), horizon=60)._settings for name in MEMBERS}
    assert all(settings[name]["horizon"] == 60 for name in NETWORKS)
    assert settings["boosted"]["farthest"] == 60
    assert forecaster("boosted", horizon=24)._settings["farthest"] == FARTHEST


def test_the_seed_of_everybody_else_is_left_alone():
    import torch

    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    learned(Neural("lstm", SEASONS, horizon=4, steps=3), panel(120)).forecast(4)
    assert torch.equal(torch.rand(3), expected)


def test_weights_stay_until_the_history_has_grown_enough():
    y = panel(160)
    made = learned(Neural("gru", SEASONS, horizon=4, steps=3, refit_growth=0.5), y[:100])
    weights = made._network
    learned(made, y[100:150], 100)
    assert made._network is weights
    learned(made, y[150:], 150)
    assert made._network is not weights


def test_beyond_the_trained_horizon_it_goes_on_and_is_less_sure():
    answer = learned(Neural("transformer", SEASONS, horizon=8, steps=20), panel()).forecast(20)
    width = (answer.quantiles[..., -1] - answer.quantiles[..., 0]).mean(axis=1)
    assert np.isfinite(answer.quantiles).all()
    assert width[8:16].mean() > 1.2 * width[:8].mean()


def test_a_series_that_fell_silent_is_refused_and_the_others_are_answered():
    y = panel(200)
    y[60:, 1] = np.nan
    answer = learned(Neural("lstm", SEASONS, horizon=4, steps=3), y).forecast(4)
    assert [reason != "" for reason in answer.refused] == [False, True, False]
    assert "nothing observed in the last 56 steps" in answer.refused[1]


def test_too_short_a_history_is_refused_with_its_length():
    answer = learned(Neural("lstm", SEASONS, horizon=4, steps=3), panel(400)[:6]).forecast(4)
    assert set(answer.refused) == {"6 steps: too few to train on"}


def test_a_series_that_was_never_learned_from_is_answered_by_the_others():
    y = panel(200)
    y[:190, 2] = np.nan
    answer = learned(Neural("gru", SEASONS, horizon=4, steps=20), y).forecast(4)
    assert answer.refused[2] == ""
    low, high = np.nanmin(y[:, 2]), np.nanmax(y[:, 2])
    assert low - (high - low) <= answer.value[0, 2] <= high + (high - low)


def test_weights_of_another_shape_are_told(tmp_path):
    learned(Neural("gru", SEASONS, horizon=4, steps=3), panel(120)).save(tmp_path / "gru")
    learned(Neural("gru", SEASONS, horizon=5, steps=3), panel(120)).save(tmp_path / "other")
    weights = (tmp_path / "other" / "weights.safetensors").read_bytes()
    (tmp_path / "gru" / "weights.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match="does not fit"):
        load(tmp_path / "gru")


def test_settings_that_make_no_network_are_told():
    with pytest.raises(ConfigError, match="at least 1"):
        Neural("lstm", (0,))
    with pytest.raises(ConfigError, match="at least 1"):
        Neural("transformer", (24,), horizon=0)


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr("headway.forecast.neural.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"gru needs torch and safetensors.*networks"):
        Neural("gru")
