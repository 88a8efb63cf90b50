import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.made_home import CREATED_S, make_home

import headway
from headway.errors import ConfigError, StoreError
from headway.features import History
from headway.predict import load
from headway.predict.sizing import RightSizer
from headway.records import Task
from headway.serve import Advisor
from headway.store import ModelStore

NOW_S = CREATED_S + 60.0


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("serve"))


@pytest.fixture
def advisor(made):
    return Advisor(made[0])


def a_task(**fields):
    known = {"cluster": "made0", "id": "new", "submitted_s": NOW_S, "cpus_requested": 4.0}
    return Task(**{**known, **fields})


tasks = st.builds(
    a_task,
    id=st.text(max_size=3),
    user=st.sampled_from([None, "0", "1", "2", "3", "4", "never seen"]),
    name=st.sampled_from([None, "0", "1", "2", "unknown-17"]),
    group=st.sampled_from([None, "1"]),
    tag=st.sampled_from([None, "a_b", "c-d-e"]),
    cpus_requested=st.sampled_from([None, 1.0, 2.0, 16.0]),
    limit_s=st.sampled_from([None, 60.0, 14400.0]),
    memory_requested_bytes=st.sampled_from([None, 20_000_000, 320_000_000, 10**12]),
    input_bytes=st.sampled_from([None, 0, 10**9]),
)


@settings(max_examples=60, deadline=None)
@given(task=tasks, later_s=st.floats(0.0, 86400.0))
def test_an_answer_is_what_the_models_give_when_asked_one_by_one(made, task, later_s):
    models = ModelStore(made[0])
    history = History.load(models.load("history").files)
    at_s = CREATED_S + later_s
    x = history.look(task, at_s)
    memory = load(models.load("memory").files).predict(x)
    runtime = load(models.load("runtime").files).predict(x)
    sizer = RightSizer.load(models.load("sizing").files)
    nothing, first = np.full(1, np.nan), np.zeros(1, np.int64)
    sizes = sizer.follow(x, memory.value[:, None], first, first, nothing, nothing)

    answer = Advisor(made[0]).advise(task, at_s)
    assert answer.features == pytest.approx(x.values[0], abs=0.0, nan_ok=True)
    assert answer.runtime_s.quantiles == tuple(runtime.quantiles[0])
    assert answer.peak_bytes.value == memory.value[0]
    if math.isnan(sizes.first[0]):
        assert answer.refused
        assert answer.memory_bytes == task.memory_requested_bytes
    else:
        assert answer.memory_bytes == math.ceil(sizes.first[0])
        assert answer.made_by == sizes.made_by[0]


def test_asking_changes_nothing_and_remembers_nobody(advisor):
    def kept():
        models = advisor.models
        arrays = {**models.history.save(), **models.sizer.save()}
        return arrays["history.json"], arrays["sizing.json"]

    before = kept()
    for number in range(20):
        advisor.advise(a_task(user=f"stranger {number}", name=f"job {number}"), NOW_S)
    assert kept() == before


def test_models_that_are_too_old_give_the_request_and_say_so(made):
    advisor = Advisor(made[0], stale_s=3600.0)
    task = a_task(user="1", memory_requested_bytes=7)
    fresh, stale = (advisor.advise(task, CREATED_S + later) for later in (3600.0, 3601.0))
    assert not fresh.refused
    assert fresh.staleness_s == 3600.0
    assert (stale.memory_bytes, stale.made_by) == (7, "request")
    assert "days old" in stale.refused
    assert stale.runtime_s.value is None


def test_a_home_without_models_gives_the_request(tmp_path):
    answer = Advisor(tmp_path).advise(a_task(memory_requested_bytes=5), NOW_S)
    assert (answer.memory_bytes, answer.made_by) == (5, "request")
    assert "no trained models" in answer.refused
    nothing = Advisor(tmp_path).advise(a_task(), NOW_S)
    assert nothing.memory_bytes is None
    assert nothing.made_by == ""


def test_no_home_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no home"):
        headway.connect(tmp_path / "nowhere")


def test_a_training_is_taken_up_whole_and_rolled_back_whole(tmp_path):
    home, _, _ = make_home(tmp_path)
    advisor, models = Advisor(home), ModelStore(home)
    first = advisor.models.version
    assert not advisor.refresh()
    make_home(tmp_path, seed=1, created_s=CREATED_S + 10.0)
    assert advisor.refresh()
    assert advisor.models.version == first.replace("v000001", "v000002")
    models.rollback("history")
    with pytest.raises(StoreError, match="roll all models back"):
        advisor.refresh()
    assert "v000002" in advisor.models.version  # a half is not taken up
    assert not advisor.refresh()
    for name in ("runtime", "memory", "sizing"):
        models.rollback(name)
    assert advisor.refresh()
    assert advisor.models.version == first


def test_models_of_another_training_than_the_history_are_not_used(tmp_path):
    home, _, _ = make_home(tmp_path)
    models = ModelStore(home)
    kept = models.load("sizing")
    models.publish("sizing", kept.files, type(kept.meta)(created_s=3e9, metrics={}))
    answer = Advisor(home).advise(a_task(user="1", memory_requested_bytes=9), NOW_S)
    assert (answer.memory_bytes, answer.made_by) == (9, "request")
    assert "sizing" not in answer.version
    assert answer.runtime_s.value is not None


@settings(max_examples=30, deadline=None)
@given(queue=st.lists(tasks, max_size=40))
def test_runtimes_asked_together_are_to_the_bit_those_asked_one_by_one(made, queue):
    advisor, at_s = Advisor(made[0]), NOW_S + 5.0
    together = advisor.estimate_runtimes(queue, at_s)
    assert together == [advisor.advise(task, at_s).runtime_s.value for task in queue]


@settings(max_examples=30, deadline=None)
@given(queue=st.lists(tasks, min_size=1, max_size=40))
def test_tasks_looked_at_together_do_not_know_of_each_other(made, queue):
    history = History.load(ModelStore(made[0]).load("history").files)
    before, at_s = history.save()["history.json"], NOW_S + 5.0
    together = history.look_at(queue, at_s).values
    for row, task in zip(together, queue, strict=True):
        np.testing.assert_array_equal(row, history.look(task, at_s).values[0])
    assert history.save()["history.json"] == before
