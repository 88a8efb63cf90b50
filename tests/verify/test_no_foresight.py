"""What a run gives is seen by nothing before the run has ended."""

import numpy as np
import polars as pl
import pytest
from tests.predict.made_up import history

from headway.records import MEASURED
from headway.verify.judge import sized
from headway.verify.replay import replay

CUT = 250
TABLE = history(400).with_columns(
    read_bytes=pl.int_range(pl.len()) * 1000,
    memory_sampled_bytes=pl.col("memory_peak_bytes") - 1,
    cpu_s=pl.col("ended_s") - pl.col("started_s"),
    exit_code=pl.lit(0, pl.Int64),
)


def rerun(table):
    """The table as it would be had every task that ran on after a moment done otherwise."""
    later = pl.col("ended_s") > float(table["submitted_s"][CUT])
    other = {
        "ended_s": pl.col("ended_s") + 7_777.0,
        "exit_code": pl.lit(9, pl.Int64),
        "state": pl.lit("failed"),
    }
    other |= {name: 3 * pl.col(name) + 1 for name in MEASURED if name not in other}
    return table.with_columns(
        **{name: pl.when(later).then(value).otherwise(name) for name, value in other.items()}
    )


def test_the_rerun_differs_in_every_measured_field():
    changed = rerun(TABLE)
    assert all((changed[name] != TABLE[name]).any() for name in (*MEASURED, "state"))


@pytest.mark.parametrize("target", ["runtime_s", "memory_bytes", "failure"])
def test_features_and_predictions_do_not_see_runs_that_go_on(target):
    before, after = replay(TABLE, target), replay(rerun(TABLE), target)
    seen = slice(0, CUT + 1)
    np.testing.assert_array_equal(before.features.values[seen], after.features.values[seen])
    np.testing.assert_array_equal(before.estimate.quantiles[seen], after.estimate.quantiles[seen])
    assert not np.array_equal(before.estimate.value, after.estimate.value, equal_nan=True)


def test_allocations_do_not_see_runs_that_go_on():
    tables = TABLE, rerun(TABLE)
    before, after = (sized(replay(table, "memory_bytes"), table)[1].first for table in tables)
    np.testing.assert_array_equal(before[: CUT + 1], after[: CUT + 1])


def test_no_feature_is_a_field_that_a_run_gives():
    at_start = replay(TABLE, "memory_bytes", protocol="causal-at-start").features
    assert not set(at_start.names) & set(MEASURED)
    shifted = TABLE.with_columns(read_bytes=pl.col("read_bytes") * 2, cpu_s=pl.col("cpu_s") * 2)
    other = replay(shifted, "memory_bytes", protocol="causal-at-start").features
    np.testing.assert_array_equal(at_start.values, other.values)
