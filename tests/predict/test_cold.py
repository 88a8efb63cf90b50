"""Kinds of task of which nothing has ended are given what was enough for kinds elsewhere."""

import numpy as np
import polars as pl

from headway.predict.sizing.cold import STEPS, share_of_request, step_of

NONE = np.zeros(STEPS)
USUAL = (0.002, 0.01, 0.07, 0.09, 0.13, 0.30, 0.38, 0.59)


def counted(*shares):
    counts = np.zeros(STEPS)
    for share in shares:
        counts[step_of(share)] += 1.0
    return counts


def test_a_first_kind_gets_somewhat_more_than_nearly_all_kinds_elsewhere_used():
    assert USUAL[-1] < share_of_request(NONE, NONE, 0.1) <= 1.11 * USUAL[-1]


def test_kinds_that_use_nearly_all_of_their_requests_are_given_more():
    assert share_of_request(NONE, counted(*[0.88] * 12), 0.1) >= 0.88


def test_many_small_kinds_make_the_usual_ones_forgotten():
    assert share_of_request(NONE, counted(*[0.05] * 200), 0.1) < 0.1


def test_what_is_usual_are_the_eighths_of_the_kinds_of_another_trace(data):
    paths = sorted((data / "prediction" / "lotaru" / "execution_reports").glob("*/*/*.csv*"))
    tables = [pl.read_csv(path, infer_schema_length=0) for path in paths]
    share = pl.col("peak_rss").cast(pl.Float64, strict=False) / pl.col("memory").cast(
        pl.Float64, strict=False
    )
    runs = pl.concat(tables, how="diagonal").with_columns(share.alias("share"))
    known = runs.filter(pl.col("share").is_finite() & (pl.col("share") > 0))
    kinds = known.group_by("Workflow", "Task").agg(pl.col("share").max())
    assert kinds.height == 53
    eighths = np.quantile(kinds["share"].to_numpy(), (np.arange(8) + 0.5) / 8)
    np.testing.assert_allclose(eighths, USUAL, atol=0.007)
