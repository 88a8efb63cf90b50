"""Sizey's protocol draws whom the published code draws and lets no task wait for another."""

import numpy as np
import polars as pl
import pytest
from tests.predict.made_up import history

from headway.history import open_traces, tasks_of
from headway.verify.replay import replay
from headway.verify.score import wastage_gbh
from headway.verify.sizey_protocol import LEAST_RUNS, one_by_one

READ = pl.Series(np.arange(120) * 1000)
TABLE = history(120).with_columns(read_bytes=READ, workflow=pl.lit("w"))


def test_thirty_per_cent_of_each_kind_are_history_and_the_rest_is_judged():
    timed, is_judged = one_by_one(TABLE, 1996)
    for name in ("tool0", "tool1"):
        mine = (TABLE["name"] == name).to_numpy()
        assert is_judged[mine].sum() == np.ceil(0.7 * mine.sum())
        assert timed["submitted_s"].filter(mine & ~is_judged).max() < (
            timed["submitted_s"].filter(is_judged).min()
        )


def test_the_draw_is_that_of_the_published_split():
    model_selection = pytest.importorskip("sklearn.model_selection")
    timed, is_judged = one_by_one(TABLE, 7)
    mine = np.flatnonzero((TABLE["name"] == "tool1").to_numpy())
    history_rows, online = model_selection.train_test_split(mine, test_size=0.7, random_state=7)
    begun = timed["submitted_s"].to_numpy()
    assert sorted(mine[is_judged[mine]]) == sorted(online)
    assert online.tolist() == sorted(online, key=lambda row: begun[row])
    assert history_rows.tolist() == sorted(history_rows, key=lambda row: begun[row])


def test_each_task_ends_before_the_next_begins_after_its_own_runtime():
    timed, _ = one_by_one(TABLE, 1)
    in_time = timed.drop_nulls("ended_s").sort("submitted_s")
    assert (in_time["submitted_s"][1:] > in_time["ended_s"][:-1]).all()
    ran = (timed["ended_s"] - timed["started_s"]).to_numpy()
    np.testing.assert_allclose(ran, (TABLE["ended_s"] - TABLE["started_s"]).to_numpy(), atol=1e-3)


def test_what_was_read_is_the_input_size_and_the_largest_reading_the_peak():
    sampled = TABLE.with_columns(memory_sampled_bytes=pl.col("memory_peak_bytes") - 1)
    found = replay(sampled, "memory_bytes", protocol="sizey", seed=1)
    np.testing.assert_array_equal(found.features.column("input_bytes"), READ)
    np.testing.assert_array_equal(found.outcome, sampled["memory_sampled_bytes"])


def test_rare_kinds_and_those_with_runs_too_short_to_measure_are_left_out():
    rare = TABLE.head(LEAST_RUNS - 1).with_columns(name=pl.lit("rare"))
    start = pl.col("started_s")
    short = TABLE.with_columns(
        name=pl.lit("short"), id="s" + pl.col("id"),
        ended_s=pl.when(pl.int_range(pl.len()) == 5).then(start).otherwise("ended_s"),
    )  # fmt: skip
    table = pl.concat([rare.with_columns(id="r" + pl.col("id")), short, TABLE])
    found = replay(table, "memory_bytes", protocol="sizey", seed=1)
    counted = table["name"].is_in(["tool0", "tool1"]).to_numpy()
    assert not found.is_judged[~counted].any()
    assert np.isnan(found.outcome[~counted]).all()
    assert np.isfinite(found.outcome[counted]).all()


@pytest.mark.parametrize("n", [0, 1, 33])
def test_too_few_tasks_are_none(n):
    assert not one_by_one(TABLE.head(n), 1)[1].any()


@pytest.mark.parametrize(
    ("workflow", "waste", "coverage", "requested"),
    [
        ("iwd", 1.06, 0.99, 15.9),
        ("rnaseq", 63.1, 0.97, 1242.0),
        ("chipseq", 89.1, 0.99, 286.0),
        ("methylseq", 1744.0, 0.98, 22643.0),
    ],
)
def test_known_figures_of_the_running_maximum_and_the_request_come_out(
    data, workflow, waste, coverage, requested
):
    path = data / "prediction" / "sizey" / f"trace_{workflow}.csv.gz"
    tasks, _ = tasks_of(open_traces([path]), lambda *_: None, in_order=False)
    timed, is_judged = one_by_one(tasks, 1996)
    peak, asked = (
        timed[name].cast(float).to_numpy()
        for name in ("memory_peak_bytes", "memory_requested_bytes")
    )
    runtime_s = (tasks["ended_s"] - tasks["started_s"]).to_numpy()
    order = np.argsort(timed["submitted_s"].to_numpy())
    given, largest = np.full(len(peak), np.nan), {}
    for row in order[timed["ended_s"].is_not_null().to_numpy()[order]]:
        name = tasks["name"][int(row)]
        given[row] = largest.get(name, 0.0)
        largest[name] = max(given[row], peak[row])
    mine = (given[is_judged], peak[is_judged])
    wasted = wastage_gbh(*mine, np.full(is_judged.sum(), np.nan), runtime_s[is_judged]).sum()
    assert wasted == pytest.approx(waste, rel=0.005)
    assert np.mean(mine[0] >= mine[1]) == pytest.approx(coverage, abs=0.005)
    over = ((asked - peak) * runtime_s)[is_judged].sum() / 3.6e12
    assert over == pytest.approx(requested, rel=0.003)
