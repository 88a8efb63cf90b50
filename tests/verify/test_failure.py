"""Judging probabilities of failure: by hand-made cases and on real histories."""

import numpy as np
import polars as pl
import pytest
from tests.predict.made_up import history

from headway.history import open_traces, tasks_of
from headway.verify.failure import (
    best_threshold,
    called_failures,
    failure_rows,
    failure_scores,
    failures,
    reliability,
)
from headway.verify.failure_methods import METHODS, kinds_of, running_share
from headway.verify.replay import replay

RNG = np.random.default_rng(5)


def failing(n=300):
    """A history in which two of four users fail often."""
    table = history(n)
    chance = table["user"].replace_strict(
        {"user0": 0.8, "user1": 0.5, "user2": 0.1, "user3": 0.0}, return_dtype=pl.Float64
    )
    failed = pl.Series(RNG.uniform(size=n)) < chance
    state = pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("completed"))
    return table.with_columns(workflow=pl.lit("w"), state=state)


TABLE = failing()


@pytest.fixture(scope="module")
def replayed():
    return replay(TABLE, "failure")


def test_states_are_failures_successes_or_neither():
    states = ["failed", "timeout", "out_of_memory", "completed", "cancelled", "unknown", "failed"]
    table = history(7).with_columns(
        state=pl.Series(states),
        ended_s=pl.when(pl.int_range(7) < 6).then("ended_s"),
    )
    np.testing.assert_array_equal(failures(table), [1, 1, 1, 0, np.nan, np.nan, np.nan])


def test_a_replay_gives_probabilities_and_learns(replayed):
    rows = {r["method"]: r for r in failure_rows(replayed, TABLE) if r["workflow"] == "all"}
    assert list(rows) == ["headway", *METHODS]
    assert rows["headway"]["log_loss"] < rows["base rate"]["log_loss"]
    assert rows["headway"]["auc"] > 0.75
    assert {row["tasks"] for row in rows.values()} == {rows["headway"]["tasks"]}


def test_rows_come_by_workflow_and_month_with_all_last(replayed):
    rows = failure_rows(replayed, TABLE, months=True, us_per_prediction=9.0)
    assert [r["workflow"] for r in rows[-10:]] == ["w"] * 5 + ["all"] * 5
    assert rows[0]["month"] == 1
    assert rows[-5]["us_per_prediction"] == 9.0
    assert rows[-5]["reliability"][0].keys() >= {"interval_90", "band", "foretold", "failed_share"}


@pytest.mark.parametrize("n", [0, 1, 30])
def test_few_tasks_are_judged(n):
    table = TABLE.head(n)
    rows = failure_rows(replay(table, "failure"), table)
    assert rows[-1]["workflow"] == "all"
    assert rows[-1]["tasks"] <= n


def test_a_history_of_which_no_end_is_known_is_refused():
    table = TABLE.with_columns(state=pl.lit("cancelled"))
    assert "the end of no task is known" in replay(table, "failure").refused


def test_scores_of_a_case_done_by_hand():
    y, p = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.9, 0.4, 0.6, 0.1])
    found = failure_scores(y, p, p > 0.3)
    assert found["accuracy"] == 0.5
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == 1.0
    assert found["f1"] == pytest.approx(0.8)
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert found["auc"] == 0.75
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())


def test_nothing_to_judge_is_said_with_none():
    nothing = failure_scores(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool))
    assert nothing["tasks"] == 0
    assert nothing["brier"] is None
    one_kind = failure_scores(np.zeros(3), np.full(3, 0.2), np.zeros(3, dtype=bool))
    assert one_kind["auc"] is None
    assert one_kind["f1"] is None


def test_true_probabilities_lie_in_their_bands_and_doubled_ones_do_not():
    p = RNG.uniform(0.0, 0.5, 20_000)
    y = (RNG.uniform(size=20_000) < p) * 1.0
    assert all(bin["is_inside"] for bin in reliability(y, p))
    assert not any(bin["is_inside"] for bin in reliability(y, np.minimum(2.0 * p, 1.0))[2:])


def test_the_threshold_is_chosen_on_the_past_alone():
    n = 400
    p = RNG.uniform(size=n)
    y = (p > 0.8) * 1.0
    kinds, rows = np.tile([0, 1], n), np.repeat(np.arange(n), 2)
    called = called_failures(kinds, rows, p, y)
    turned = y.copy()
    turned[200:] = 1.0 - turned[200:]
    np.testing.assert_array_equal(called[:201], called_failures(kinds, rows, p, turned)[:201])
    assert np.mean(called[100:] == (y[100:] > 0.5)) > 0.97


def test_the_best_threshold_parts_what_can_be_parted():
    y = np.array([0.0, 0.0, 1.0, 1.0])
    assert 0.2 < best_threshold(np.array([0.1, 0.2, 0.7, 0.9]), y, 0.5) <= 0.7
    assert best_threshold(np.full(4, 0.3), y, 0.5) == pytest.approx(0.3)
    assert best_threshold(np.full(2, 0.3), np.zeros(2), 0.5) == 0.5


def test_a_running_share_knows_its_own_kind_only():
    kinds, rows = np.array([0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2])
    share = running_share(kinds, rows, ["a", "a", "b"], np.array([1.0, 0.0, 0.0]))
    np.testing.assert_array_equal(share, [np.nan, 0.75, np.nan])


def test_where_nobody_is_named_a_kind_is_what_was_asked_for():
    nameless = TABLE.with_columns(user=pl.lit(None, pl.String), name=pl.lit(None, pl.String))
    assert kinds_of(nameless)[0] == (None, 1.0 * TABLE["cpus_requested"][0], 36_000.0)


def test_failures_of_a_real_workflow_are_foretold(data):
    """methylseq: 72 of 1,083 tasks failed; the base rate's log loss is 0.26."""
    traces = open_traces([data / "prediction" / "sizey" / "trace_methylseq.csv.gz"])
    tasks, _ = tasks_of(traces, lambda what, share: None)
    rows = failure_rows(replay(tasks, "failure"), tasks)
    own, base = rows[-5], rows[-4]
    assert own["log_loss"] < 0.5 * base["log_loss"]
    assert own["auc"] > 0.9


def test_what_kabre_asks_for_says_nothing_of_how_the_run_went(data):
    """Its processors are worked out of the time used; its memory per processor must not be."""
    traces = open_traces([data / "prediction" / "kabre-slurm" / "sacct.csv.gz"])
    tasks, _ = tasks_of(traces, lambda what, share: None)
    per_cpu = tasks["memory_requested_bytes"] / tasks["cpus_requested"]
    assert per_cpu.drop_nulls().n_unique() < 200
    assert tasks["cpus_allocated"].drop_nulls().n_unique() > 500
