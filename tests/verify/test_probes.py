"""Probing holds back what it should, for as long as it says, and tells what it cost."""

import numpy as np
import polars as pl
import pytest

from headway.errors import ConfigError
from headway.records import Task
from headway.tables import frame
from headway.verify.probes import probed


def burst(n, runtime_s=100.0, **fields):
    tasks = [
        Task(
            cluster="c", id=f"{fields.get('name', 'a')}{i}", submitted_s=0.0, started_s=float(i),
            ended_s=i + runtime_s, state="completed", **({"name": "a"} | fields),
        )
        for i in range(n)
    ]  # fmt: skip
    return frame("task", tasks)


def test_two_probes_run_and_the_others_wait_for_both():
    moved = probed(burst(6), probes=2)
    assert moved.tasks["started_s"].to_list() == [0.0, 1.0, 101.0, 101.0, 101.0, 101.0]
    assert moved.delay_s.tolist() == [0.0, 0.0, 99.0, 98.0, 97.0, 96.0]
    runtime = moved.tasks["ended_s"] - moved.tasks["started_s"]
    assert runtime.to_list() == [100.0] * 6


def test_more_are_let_go_as_more_have_ended():
    started = probed(burst(40), probes=2).tasks["started_s"].to_numpy()
    assert np.sum(started == 101.0) == 16  # eighteen of the kind go with three ends at the latest
    assert started.max() > 200.0


def test_nobody_is_held_for_longer_than_was_said():
    moved = probed(burst(30, runtime_s=5000.0), probes=1, longest_s=60.0)
    assert moved.delay_s.max() == 60.0
    assert moved.cost()["longest_delay_s"] == 60.0


def test_a_kind_whose_outcomes_are_known_is_not_held():
    table = burst(5).with_columns(
        started_s=pl.Series([0.0, 1.0, 200.0, 201.0, 202.0]),
        ended_s=pl.Series([50.0, 51.0, 300.0, 301.0, 302.0]),
    )
    assert probed(table).delay_s.tolist() == [0.0] * 5


def test_what_came_after_a_held_task_of_its_tag_starts_later():
    held = burst(4, tag="x").with_columns(tag=pl.Series(["p", "q", "x", "y"]))
    after = burst(1, name="b").with_columns(
        started_s=pl.lit(110.0), ended_s=pl.lit(120.0), tag=pl.lit("x")
    )
    moved = probed(pl.concat([held, after]), probes=2)
    assert moved.tasks["started_s"][2] == 101.0
    assert moved.tasks["started_s"][4] == 201.0
    assert moved.cost()["later_by_s"] == pytest.approx(211.0 - 120.0)


def test_tasks_that_never_ran_and_empty_tables_are_left_alone():
    table = burst(3).with_columns(
        started_s=pl.lit(None, pl.Float64), ended_s=pl.lit(None, pl.Float64)
    )
    assert probed(table).tasks.equals(table)
    assert probed(table.head(0)).cost()["mean_delay_s"] == 0.0


def test_no_probes_are_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        probed(burst(1), probes=0)
