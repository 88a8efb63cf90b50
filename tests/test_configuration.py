"""`headway configure`: a history in, suggestions out."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from headway.cli import app
from headway.configuration import configure_task
from headway.errors import ConfigError, NotEnoughData
from headway.optimize import Prices
from headway.tables import complete

PRICES = Prices(core_hour=0.04, gb_hour=0.005, currency="EUR")
SPEED = {"big": 0.5, "small": 1.0}


def history(n=120, seed=0):
    """Three recurring tasks on two queues with 1, 2 or 4 cores; 'render' only on small ones yet."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        name = ("render", "align", "pack")[i % 3]
        queue = "small" if name == "render" else ("small", "big")[rng.integers(2)]
        cpus = float((1, 2, 4)[rng.integers(3)]) if name != "render" else 1.0
        level = {"render": 400.0, "align": 900.0, "pack": 60.0}[name]
        took_s = level * SPEED[queue] / cpus**0.7 * np.exp(rng.normal(0.0, 0.05))
        start_s = 1e9 + 1000.0 * i
        rows.append((str(i), name, queue, cpus, start_s, start_s + took_s))
    columns = ("id", "name", "queue", "cpus_requested", "started_s", "ended_s")
    table = pl.DataFrame(rows, schema=columns, orient="row")
    known = table.with_columns(
        cluster=pl.lit("made-up"), attempt=pl.lit(1), submitted_s="started_s",
        state=pl.lit("completed"),
    )  # fmt: skip
    return complete("task", known)


TABLE = history()
NODES = {"small": 0.10, "big": 0.15}


def test_what_other_tasks_say_of_a_configuration_is_used():
    found = configure_task(TABLE, "render", 300.0, PRICES, node_prices=NODES)
    assert found["runs"] == 40
    assert found["runs_of_other_tasks"] == 80
    assert found["candidates"] == 6
    best = found["best"]
    assert best["node"] == "big" or best["cpus"] > 1.0  # it never ran with either
    assert best["miss_probability"] <= 0.1
    assert best["cost_90"][0] < best["expected_cost"] < best["cost_90"][1]


def test_a_loose_deadline_keeps_what_is_cheapest():
    found = configure_task(TABLE, "render", 4000.0, PRICES)
    assert (found["best"]["node"], found["best"]["cpus"]) == ("big", 1.0)


def test_cores_and_memory_are_priced_where_no_node_is():
    found = configure_task(TABLE, "align", 5000.0, PRICES, node_field="none")
    assert found["best"]["price_hour"] == pytest.approx(0.04 * found["best"]["cpus"])
    assert found["currency"] == "EUR"


def test_several_trials_can_be_asked_for():
    assert len(configure_task(TABLE, "render", 300.0, PRICES, trials=3)["next"]) == 3


def test_an_unknown_task_is_refused_with_the_known_ones():
    with pytest.raises(NotEnoughData, match="known are align, pack, render"):
        configure_task(TABLE, "paint", 300.0, PRICES)


def test_an_unknown_kind_of_node_is_refused():
    with pytest.raises(ConfigError, match="node-by must be one of"):
        configure_task(TABLE, "render", 300.0, PRICES, node_field="rack")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "history.csv"
    names = (
        "id",
        "name",
        "queue",
        "cpus_requested",
        "submitted_s",
        "started_s",
        "ended_s",
        "state",
    )
    TABLE.select(names).write_csv(path)
    return path


def asked(*words):
    done = CliRunner().invoke(app, ["configure", *words], catch_exceptions=True)
    return done


def test_the_command_prints_one_document(file, tmp_path):
    words = [str(file), "--task", "render", "--deadline", "300", "--home", str(tmp_path / "home")]
    done = asked(*words, "--node-prices", "small=0.1,big=0.15", "--json")
    document = json.loads(done.stdout)
    assert document["task"] == "render"
    assert {"best", "next", "runs", "deadline_s"} <= document.keys()
    assert document["best"]["why"]


def test_the_command_says_it_in_sentences(file, tmp_path):
    words = [str(file), "--task", "render", "--deadline", "300", "--home", str(tmp_path / "home")]
    said = asked(*words).stdout
    assert "Best so far:" in said
    assert "miss the deadline of 300 s" in said
    assert "From 40 runs of render and 80 of other tasks" in " ".join(said.split())


def test_a_price_that_is_none_is_refused(file):
    done = asked(str(file), "--task", "render", "--deadline", "300", "--node-prices", "big=dear")
    assert isinstance(done.exception, ConfigError)
