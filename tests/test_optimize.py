import json

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.history import history_of, open_traces, take_in, tasks_of
from headway.optimize import Prices, keep_models, optimize, replay_histories, simulate_trace
from headway.predict.sizing import RightSizer
from headway.store import MemoryStore, ModelStore
from headway.verify.baselines import RUNTIME
from tests.made_history import swf_text

PRICES = Prices(core_hour=1.0, gb_hour=1.0, currency="EUR")


def silent(what, share):
    assert 0.0 <= share <= 1.0, what


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    path = tmp_path_factory.mktemp("history") / "made.swf"
    path.write_text(swf_text())
    return path


@pytest.fixture(scope="module")
def optimized(trace):
    store = MemoryStore()
    traces = open_traces([trace])
    take_in(traces, store, 2e9, silent)
    tasks, facts = history_of(traces, store)
    return optimize(tasks, facts, prices=PRICES, coverage=0.95, progress=silent)


def test_a_history_is_taken_in_once(trace):
    store = MemoryStore()
    first = take_in(open_traces([trace]), store, 2e9, silent)
    again = take_in(open_traces([trace]), store, 2e9, silent)
    assert (first["read"], first["stored"]) == (400, 400)
    assert (again["stored"], again["duplicate"]) == (0, 400)


def test_the_document_has_every_promised_key(optimized):
    summary = optimized.summary
    for key in ("requests", "prediction", "schedules", "gain", "recommendations"):
        assert key in summary
    assert "coverage_95" in summary["prediction"]["runtime"]
    wanted = {
        "policy", "runtimes", "mean_bounded_slowdown", "p95_bounded_slowdown_60s", "mean_wait_s",
        "utilisation", "makespan_s",
    }  # fmt: skip
    assert all(wanted <= set(row) for row in summary["schedules"])
    assert {"share_of_possible", "incumbent", "chosen", "clairvoyant"} <= set(summary["gain"])
    runtimes = {row["runtimes"] for row in summary["schedules"]}
    assert runtimes == {"requested", "predicted", "true"}


def test_the_first_row_is_the_usual_practice_and_the_last_is_clairvoyant(optimized):
    rows = optimized.summary["schedules"]
    assert (rows[0]["policy"], rows[0]["runtimes"]) == ("fcfs", "requested")
    assert (rows[-1]["policy"], rows[-1]["runtimes"]) == ("areaxt", "true")


def test_models_are_left_behind_and_answer_the_same(optimized, tmp_path):
    from headway.predict import load

    models = ModelStore(tmp_path)
    versions = keep_models(optimized, models, 2e9)
    assert set(versions) == {"runtime", "memory", "sizing", "history"}
    replayed = optimized.replays["runtime_s"]
    again = load(models.load("runtime").files)
    x = replayed.features.take(slice(0, 20))
    assert (again.predict(x).quantiles == replayed.predictor.predict(x).quantiles).all()
    sizer = RightSizer.load(models.load("sizing").files)
    believed = load(models.load("memory").files).predict(x).value[:, None]
    np.testing.assert_array_equal(
        sizer.size(x, believed).first, optimized.sizer.size(x, believed).first
    )


def test_a_history_without_tasks_is_refused(trace):
    tasks, facts = tasks_of(open_traces([trace]), silent)
    with pytest.raises(NotEnoughData, match="no task"):
        optimize(tasks.clear(), facts, prices=PRICES, coverage=0.95, progress=silent)


@pytest.mark.parametrize("n", [1, 3, 49])
def test_a_tiny_history_says_what_could_not_be_judged(trace, n):
    tasks, facts = tasks_of(open_traces([trace]), silent)
    summary = optimize(tasks.head(n), facts, prices=PRICES, coverage=0.95, progress=silent).summary
    assert summary["gain"] == {}
    assert any("too few" in sentence for sentence in summary["could_not_judge"])
    json.dumps(summary)


def test_simulate_gives_a_row_for_each_policy_and_kind_of_runtimes(trace):
    rows = simulate_trace(
        open_traces([trace])[0], policies=["fcfs", "saf"],
        runtimes=["requested", "predicted", "true"], protocol="whole", backfill="", start=0,
        jobs=0, progress=silent,
    )  # fmt: skip
    assert len(rows) == 6
    assert all(row["jobs"] == 400 and row["jobs_per_s"] > 0 for row in rows)


def test_replay_ends_with_all_workflows_and_shows_months(trace):
    rows = replay_histories(
        open_traces([trace]), target="runtime", protocol="causal", months=True, seed=0,
        progress=silent,
    )  # fmt: skip
    assert rows[-1]["workflow"] == "all"
    assert {row["method"] for row in rows} == {"headway", *RUNTIME}
    assert rows[0]["month"] == 1


def test_an_unknown_target_is_named(trace):
    with pytest.raises(ConfigError, match="target"):
        replay_histories(
            open_traces([trace]), target="power", protocol="causal", months=False, seed=0,
            progress=silent,
        )  # fmt: skip
