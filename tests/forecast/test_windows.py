import numpy as np

from headway.forecast.windows import Shape, windows

DAY = Shape((4, 8), 12, 6)
HOUR = 3600.0


def seen(y, origin, shape=DAY, start_s=0.0):
    y = np.asarray(y, dtype=float)[None]
    return windows(y, start_s, HOUR, np.array([0]), np.array([origin]), shape)


def own(window, x):
    """What is in units of a window, in those of the series."""
    return x * window.scale[:, None] + window.centre[:, None]


def test_targets_are_what_follows_the_origin_and_missing_beyond_the_end():
    y = np.arange(60.0) % 7
    window = seen(y, 57)
    np.testing.assert_allclose(own(window, window.target)[0, :3], y[57:], rtol=1e-5)
    assert np.isnan(window.target[0, 3:]).all()


def test_nothing_read_comes_from_the_origin_or_later():
    y = np.random.default_rng(0).normal(size=80)
    before = seen(y, 50)
    y[50:] = 1e6
    after = seen(y, 50)
    for name in ("past", "ahead", "anchors", "width", "centre", "scale"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_one_anchor_is_the_seasonal_naive_and_one_the_last_value():
    y = np.random.default_rng(0).normal(size=80)
    window = seen(y, 50)
    anchors = own(window, window.anchors[0].T).T  # (horizon, k)
    np.testing.assert_allclose(anchors[:, 0], y[49], rtol=1e-5)
    naive = np.concatenate([y[46:50], y[46:48]])
    assert any(np.allclose(anchors[:, k], naive, rtol=1e-4) for k in range(anchors.shape[1]))


def test_a_profile_is_the_mean_of_a_phase_over_seven_seasons():
    y = np.random.default_rng(0).normal(size=80)
    window = seen(y, 48)
    anchors = own(window, window.anchors[0].T).T
    profile = y[20:48].reshape(7, 4).mean(axis=0)[[0, 1, 2, 3, 0, 1]]
    assert any(np.allclose(anchors[:, k], profile, atol=1e-5) for k in range(anchors.shape[1]))


def test_windows_do_not_depend_on_level_or_unit():
    y = np.random.default_rng(0).normal(size=80)
    one, other = seen(y, 50), seen(1e12 + 1e9 * y, 50)
    for name in ("past", "anchors", "width", "target"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-3)


def test_a_short_series_is_padded_with_what_is_not_observed():
    window = seen([1.0, 2.0, 3.0], 3)
    assert np.isfinite(window.past).all()
    assert window.past[0, :, 3].tolist() == [0.0] * 9 + [1.0] * 3  # is it known
    assert window.centre[0] == 2.0


def test_a_constant_series_has_a_scale_and_a_silent_one_no_centre():
    assert seen(np.full(60, 7.0), 50).scale[0] > 0
    assert seen(np.zeros(60), 50).scale[0] > 0
    assert np.isnan(seen(np.full(60, np.nan), 50).centre[0])


def test_a_spike_does_not_hide_what_the_others_are():
    y = np.random.default_rng(0).normal(size=80)
    y[45] = 1e9
    window = seen(y, 50)
    assert np.abs(window.past).max() < 5
    assert np.abs(window.target).max() < 31


def test_the_calendar_is_utc_by_hour_and_by_day_of_week():
    noon_s = 12 * HOUR  # 1970-01-01 was a Thursday
    window = seen(np.zeros(60), 50, start_s=noon_s - 50 * HOUR)
    hour_and_day = window.ahead[0, 0, -5:-1]
    angle = 2 * np.pi * 0.5 / 7
    np.testing.assert_allclose(
        hour_and_day, [np.sin(np.pi), np.cos(np.pi), np.sin(angle), np.cos(angle)], atol=1e-6
    )
