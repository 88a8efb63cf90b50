"""Every method answers by its paper, in the order of time, and says no more than it could know."""

import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.predict.made_up import history

from headway.features import History
from headway.verify.answers import answers
from headway.verify.baselines import HINDSIGHT, MEMORY, RUNTIME, Seen
from headway.verify.replay import replay
from headway.verify.score import wastage_gbh

SIZED = history(120).with_columns(
    input_bytes=(pl.col("memory_peak_bytes") * 3 + 10**6).cast(pl.Int64)
)


def one_by_one(peaks, sizes=None, request=100.0, runtime_s=None, retry=np.nan):
    """What methods see of tasks of one kind, each of which ends before the next one comes."""
    n = len(peaks)
    kinds, rows = np.tile([0, 1], n), np.repeat(np.arange(n), 2)
    return Seen(
        kinds=kinds, rows=rows, kind=np.zeros(n, np.int64), user=np.zeros(n, np.int64),
        input_bytes=np.full(n, np.nan) if sizes is None else np.array(sizes, dtype=float),
        y=np.array(peaks, dtype=float), request=np.full(n, request), retry=np.full(n, retry),
        runtime_s=np.full(n, 60.0) if runtime_s is None else np.array(runtime_s, dtype=float),
        ended_s=60.0 * np.arange(n), is_judged=np.ones(n, dtype=bool),
        x=History().replay(history(n)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def memory():
    return replay(SIZED, "memory_bytes")


def test_a_kind_without_two_outcomes_gets_its_request():
    for name in ("running max", "p95 of history", "VPA-like", "Witt-LR", "Tovar", "Sizey port"):
        given = MEMORY[name](one_by_one([10.0, 30.0, 20.0])).first
        assert given[:2].tolist() == [100.0, 100.0], name
        assert given[2] != 100.0, name


def test_largest_and_quantiles_are_those_of_what_has_ended():
    seen = one_by_one([10.0, 30.0, 20.0, 5.0])
    assert MEMORY["running max"](seen).first[2:].tolist() == [30.0, 30.0]
    assert MEMORY["running max + 15 %"](seen).first[2:].tolist() == pytest.approx([34.5, 34.5])
    assert MEMORY["p95 of history"](seen).first[2:].tolist() == pytest.approx([29.0, 29.0])


def test_vpa_gives_the_end_of_the_bucket_of_the_ninetieth_percentile_and_a_margin():
    given = MEMORY["VPA-like"](one_by_one([1.5e7] * 11)).first
    assert given[-1] == pytest.approx(1.15 * 1e7 * (1.0 + 1.05))
    rare = MEMORY["VPA-like"](one_by_one([1.5e7] * 30 + [9e9] + [1.5e7] * 2)).first
    assert rare[-1] < 1e8


def test_vpa_forgets_in_days():
    peaks = [9e9] * 5 + [1.5e7] * 3
    old = replace(one_by_one(peaks), ended_s=np.array([0.0] * 5 + [20.0 * 86400.0] * 3))
    assert MEMORY["VPA-like"](old).first[-1] < 1e8
    assert MEMORY["VPA-like"](one_by_one(peaks)).first[-1] > 1e9
    ages = replace(one_by_one(peaks), ended_s=86400.0 * np.array([0.0] * 7 + [3000.0]))
    assert np.isfinite(MEMORY["VPA-like"](ages).first).all()


def test_witt_finds_a_line_and_adds_what_it_missed():
    sizes = np.arange(1.0, 12.0)
    exact = MEMORY["Witt-LR"](one_by_one(7.0 + 3.0 * sizes, sizes)).first
    assert exact[3:].tolist() == pytest.approx((7.0 + 3.0 * sizes)[3:])
    noisy = MEMORY["Witt-LR"](one_by_one([10.0, 30.0] * 5)).first
    assert noisy[-1] > 20.0


def test_tovar_weighs_a_retry_against_what_all_would_be_given():
    mostly_small = [1.0] * 18 + [50.0] + [1.0]
    given = MEMORY["Tovar"](one_by_one(mostly_small))
    assert (given.first[-1], given.then[-1]) == (1.0, 50.0)
    mostly_large = [50.0] * 18 + [40.0] + [50.0]
    assert MEMORY["Tovar"](one_by_one(mostly_large)).first[-1] == 50.0
    long = one_by_one(mostly_small, runtime_s=[1.0] * 18 + [1000.0, 1.0])
    assert MEMORY["Tovar"](long).first[-1] == 50.0


def test_sizey_follows_the_input_and_retries_with_the_largest_peak():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    sizes = rng.uniform(1e9, 9e9, 40)
    given = MEMORY["Sizey port"](one_by_one(2e9 + 0.5 * sizes, sizes))
    late = slice(25, None)
    assert np.all(np.abs(given.first[late] / (2e9 + 0.5 * sizes[late]) - 1.0) < 0.25)
    assert np.nanmax(given.then) == pytest.approx((2e9 + 0.5 * sizes).max(), rel=0.2)


def test_sizey_says_where_it_would_take_too_long(monkeypatch):
    monkeypatch.setattr(sys.modules["headway.verify.baselines.sizey"], "MOST_TASKS", 5)
    refused = MEMORY["Sizey port"](one_by_one([1.0] * 6))
    assert "too slow" in refused.why_not
    assert np.isnan(refused.first).all()
    assert MEMORY["Sizey port"](one_by_one([1.0] * 5)).why_not == ""


def test_sizey_says_what_it_needs(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "headway[configure]" in MEMORY["Sizey port"](one_by_one([1.0] * 6)).why_not


def test_trees_with_split_conformal_cover_about_as_often_as_promised():
    rng = np.random.default_rng(1)
    sizes = rng.uniform(1.0, 9.0, 600)
    peaks = 10.0 * sizes * rng.lognormal(0.0, 0.1, 600)
    given = MEMORY["LightGBM + split conformal"](one_by_one(peaks, sizes, request=1e9)).first
    assert 0.9 < np.mean(given[100:] >= peaks[100:]) < 0.99
    without = MEMORY["LightGBM + split conformal"](one_by_one(peaks, request=200.0)).first
    assert 0.9 < np.mean(without[100:] >= peaks[100:]) < 1.0


def test_hindsight_is_the_least_wasteful_constant():
    rng = np.random.default_rng(2)
    peaks, runtime_s = rng.lognormal(22.0, 0.5, 60), rng.uniform(10.0, 500.0, 60)
    seen = one_by_one(peaks, request=9e10, retry=9e10, runtime_s=runtime_s)
    best = MEMORY[HINDSIGHT](seen).first
    assert len(set(best)) == 1

    def waste(constant):
        return wastage_gbh(np.full(60, constant), peaks, seen.retry, runtime_s).sum()

    assert waste(best[0]) <= min(waste(peak) for peak in peaks) * (1.0 + 1e-12)


def test_runtimes_are_those_of_the_user_and_of_the_name():
    seen = one_by_one([10.0, 30.0, 20.0, 90.0])
    seen = replace(seen, kind=np.array([0, 0, 1, 0]), user=np.array([0, 0, 0, 1]))
    last = RUNTIME["last two"](seen).first
    assert np.isnan(last[[0, 3]]).all()
    assert last[1:3].tolist() == [10.0, 20.0]
    seen = replace(seen, user=np.zeros(4, np.int64))
    assert RUNTIME["median of user + name"](seen).first[1:].tolist() == [10.0, 20.0, 20.0]


@pytest.mark.parametrize("name", sorted(set(MEMORY) - {HINDSIGHT}))
def test_no_memory_method_looks_ahead(memory, name):
    whole = answers(memory, SIZED, names=[name])
    cut = 70
    seen, first = whole.seen, whole.given[name].first
    known = np.zeros(len(seen.y), dtype=bool)
    place = np.full(len(seen.y), len(seen.kinds))
    is_learned = seen.kinds == 1
    place[seen.rows[is_learned]] = np.flatnonzero(is_learned)
    known[place < np.flatnonzero((seen.kinds == 0) & (seen.rows == cut))[0]] = True
    other = replace(
        seen,
        y=np.where(known, seen.y, 7.0 * seen.y),
        runtime_s=np.where(known, seen.runtime_s, 9.0 * seen.runtime_s),
        ended_s=np.where(known, seen.ended_s, 2.0 * seen.ended_s),
    )
    again = MEMORY[name](other).first
    np.testing.assert_array_equal(first[: cut + 1], again[: cut + 1])
    if name != "request":
        assert not np.array_equal(first, again)


@pytest.mark.parametrize("name", sorted(RUNTIME))
def test_no_runtime_method_looks_ahead(name):
    replayed = replay(SIZED)
    seen = answers(replayed, SIZED, names=[name]).seen
    first = RUNTIME[name](seen).first
    later = seen.ended_s > SIZED["submitted_s"][70]
    again = RUNTIME[name](replace(seen, y=np.where(later, 7.0 * seen.y, seen.y))).first
    np.testing.assert_array_equal(first[:71], again[:71])


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("name", sorted({*MEMORY, *RUNTIME}))
def test_few_tasks_are_answered(name, n):
    method = MEMORY.get(name) or RUNTIME[name]
    assert len(method(one_by_one([5.0] * n)).first) == n
