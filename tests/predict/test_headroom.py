import numpy as np
import polars as pl
import pytest

from headway.errors import ConfigError, InputError
from headway.predict.headroom import (
    COARSE,
    FEATURES,
    FINE,
    SCALE,
    SIZE,
    UNSEEN,
    constants,
    known_of,
    log_headroom,
    picked,
    sized,
    wasted,
)
from headway.predict.headroom_file import load_headroom, save_headroom

GB = 1e9


def tasks_with(rows, **columns):
    """Tasks of rows (name, submitted, ended, peak GB, requested GB); each starts at once."""
    names = ("name", "submitted_s", "ended_s", "memory_peak_bytes", "memory_requested_bytes")
    table = pl.DataFrame(rows, schema=names, orient="row", strict=False)
    gb = pl.col("memory_peak_bytes", "memory_requested_bytes").cast(pl.Float64) * GB
    return table.with_columns(
        gb, started_s=pl.col("submitted_s"), user=pl.lit("u"), limit_s=pl.lit(3600.0), **columns
    )


def test_the_basis_is_the_largest_known_peak_of_the_class_else_the_request():
    known = known_of(
        tasks_with(
            [
                ("a", 0.0, 100.0, 2.0, 8.0),
                ("a", 50.0, 150.0, 3.0, 8.0),  # nothing has ended
                ("a", 100.0, 200.0, 1.0, 8.0),  # the first has, in this moment
                ("a", 160.0, 250.0, 1.0, 8.0),
                ("b", 160.0, 250.0, 1.0, 4.0),
            ]
        )
    )
    np.testing.assert_allclose(known.basis, np.array([8.0, 8.0, 2.0, 3.0, 3.0]) * GB)
    assert known.level.tolist() == [UNSEEN, UNSEEN, FINE, FINE, COARSE]


def test_what_ends_later_changes_nothing():
    rng = np.random.default_rng(0)
    rows = [
        (str(rng.integers(3)), float(i), i + float(rng.uniform(1, 50)), float(rng.lognormal()), 9.0)
        for i in range(200)
    ]
    cut = 120
    other = [(*row[:3], 99.0 * row[3], row[4]) if row[2] > cut else row for row in rows]
    first, changed = known_of(tasks_with(rows)), known_of(tasks_with(other))
    np.testing.assert_array_equal(first.x[:cut], changed.x[:cut])
    np.testing.assert_array_equal(first.basis[:cut], changed.basis[:cut])
    assert not np.array_equal(first.x[cut + 60 :], changed.x[cut + 60 :])


def test_waste_counts_attempts_that_failed():
    known = known_of(tasks_with([("a", 0.0, 3600.0, 4.0, 8.0), ("a", 4000.0, 7600.0, 6.0, 8.0)]))
    first = sized(known, log_headroom(constants(1.25, 1.0, 0.75), known.x, known.level))
    np.testing.assert_allclose(first, [6.0 * GB, 5.0 * GB])
    # the second has 5 GB in vain; the double is beyond its request, which is tried before
    np.testing.assert_allclose(wasted(known, first), [2.0, 5.0 + 8.0 - 6.0])


def test_nothing_is_given_beyond_the_request_unless_the_class_has_used_more():
    known = known_of(tasks_with([("a", 0.0, 10.0, 9.0, 8.0), ("a", 20.0, 30.0, 6.0, 8.0)]))
    assert sized(known, np.full(2, 3.0)).tolist() == [8.0 * GB, pytest.approx(9.0 * GB)]


def test_a_task_without_anything_known_has_no_basis():
    known = known_of(tasks_with([("a", 0.0, 10.0, 9.0, None)]))
    assert np.isnan(known.basis[0])
    assert known.x.shape == (1, len(FEATURES))
    assert np.isfinite(known.x).all()
    assert len(picked(known, np.isfinite(known.basis)).x) == 0


def test_a_network_moves_the_logarithm_of_the_constants():
    rng = np.random.default_rng(0)
    x, level = rng.normal(size=(5, len(FEATURES))), np.array([2, 0, 1, 0, 2])
    fixed = constants(1.2, 0.8, 0.5)
    logs = log_headroom(fixed, x, level)
    np.testing.assert_allclose(np.exp(logs), [0.5, 1.2, 0.8, 1.2, 0.5])
    fixed[-1] = 0.1
    np.testing.assert_allclose(log_headroom(fixed, x, level) - logs, SCALE * 0.1)
    with pytest.raises(ConfigError, match="must be positive"):
        constants(0.0)
    with pytest.raises(ConfigError, match="weights must be"):
        log_headroom(np.zeros(3), x, level)


def test_weights_are_read_as_they_were_written_and_others_are_refused(tmp_path):
    weights = np.random.default_rng(0).normal(size=SIZE)
    save_headroom(weights, tmp_path / "a.npz", "made up")
    np.testing.assert_array_equal(load_headroom(tmp_path / "a.npz"), weights)
    (tmp_path / "b.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="not a file of headroom"):
        load_headroom(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", weights=weights, said=np.array('{"version": "headroom-0"}'))
    with pytest.raises(ConfigError, match="version headroom-0"):
        load_headroom(tmp_path / "c.npz")
