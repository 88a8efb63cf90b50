"""A replay sees nothing that comes later and says what it cannot judge."""

import numpy as np
import polars as pl
import pytest
from tests.predict.made_up import history

from headway.errors import ConfigError
from headway.verify.answers import answers
from headway.verify.baselines import CHEAP
from headway.verify.judge import rows
from headway.verify.replay import replay

TABLE = history(300)


def judged(replayed, table):
    return rows(replayed, table, answers(replayed, table, names=CHEAP))


@pytest.fixture(scope="module")
def replayed():
    return replay(TABLE)


def test_replay_is_a_pure_function_of_its_table(replayed):
    again = replay(TABLE)
    np.testing.assert_array_equal(replayed.estimate.quantiles, again.estimate.quantiles)


def test_what_happens_after_a_submission_changes_no_estimate(replayed):
    cut_s = float(TABLE["submitted_s"][200])
    end = pl.col("ended_s")
    changed = TABLE.with_columns(
        ended_s=pl.when(end > cut_s).then(end + 5_000.0).otherwise(end),
        state=pl.when(end > cut_s).then(pl.lit("failed")).otherwise(pl.col("state")),
    )
    other = replay(changed)
    np.testing.assert_array_equal(replayed.estimate.quantiles[:201], other.estimate.quantiles[:201])


def test_replayed_estimates_are_those_that_serving_gives(replayed):
    """One task at a time, as the engine does it, gives what the blocks of a replay give."""
    from headway.features import NAMES
    from headway.predict import predictor_for

    predictor = predictor_for("runtime_s", NAMES)
    uncensored, believed = np.zeros(1, dtype=bool), {}
    for kind, row in zip(replayed.kinds[:260].tolist(), replayed.rows[:260].tolist(), strict=True):
        x = replayed.features.take(slice(row, row + 1))
        if kind == 0:
            believed[row] = predictor.remember(x)
            served = predictor.predict(x).quantiles[0]
            np.testing.assert_allclose(served, replayed.estimate.quantiles[row], rtol=1e-9)
        else:
            predictor.learn(believed[row], replayed.outcome[row : row + 1], uncensored)


def test_learning_pays(replayed):
    by_method = {row["method"]: row for row in judged(replayed, TABLE)}
    assert by_method["headway"]["mae_s"] < 0.2 * by_method["request"]["mae_s"]
    assert by_method["headway"]["workflow"] == "all"


@pytest.mark.parametrize("protocol", ["causal", "causal-at-start", "sizey"])
def test_memory_is_judged_by_coverage_and_waste(protocol):
    table = TABLE.with_columns(workflow=pl.lit("w"))
    found = judged(replay(table, "memory_bytes", protocol=protocol), table)
    assert [row["workflow"] for row in found[:1]] == ["w"]
    assert found[-1]["workflow"] == "all"
    by_method = {row["method"]: row for row in found}
    assert by_method["request"]["first_attempt_coverage"] == 1.0
    assert by_method["headway"]["first_attempt_coverage"] > 0.8
    assert by_method["headway"]["wastage_gbh"] < by_method["request"]["wastage_gbh"]


@pytest.mark.parametrize("n", [0, 1, 50])
@pytest.mark.parametrize("target", ["runtime_s", "memory_bytes"])
def test_few_tasks_are_replayed(n, target):
    table = TABLE.head(n)
    found = replay(table, target)
    assert len(found.estimate.value) == n
    assert judged(found, table)[-1]["workflow"] == "all"


def test_a_history_without_memory_is_refused_with_a_sentence():
    table = TABLE.with_columns(
        memory_peak_bytes=pl.lit(None, pl.Int64), memory_requested_bytes=pl.lit(None, pl.Int64)
    )
    found = replay(table, "memory_bytes")
    assert "peak memory of no task is known" in found.refused
    assert (found.estimate.refused != "").all()
    assert judged(found, table)[-1]["first_attempt_coverage"] is None


def test_a_history_without_starts_and_requests_is_refused_with_a_sentence():
    none = pl.lit(None, pl.Float64)
    table = TABLE.with_columns(started_s=none, ended_s=none, limit_s=none)
    assert "runtime of no task is known" in replay(table).refused


def test_progress_is_told_up_to_the_end():
    told: list[float] = []
    replay(TABLE, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_unknown_words_are_refused():
    with pytest.raises(ConfigError, match="target must be one of"):
        replay(TABLE, "power")
    with pytest.raises(ConfigError, match="protocol must be one of"):
        replay(TABLE, protocol="hindsight")
