"""What a task is given is enough, cheap, and known when it is given."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.made_up import history

from headway.errors import ConfigError
from headway.features import History
from headway.predict.sizing import RightSizer, bytes_in_vain, next_bytes
from headway.verify.replay import replay

HOUR = 3600.0
UNKNOWN = np.full((400, 1), np.nan)


def one_after_the_other(n, **columns):
    """Tasks of one kind, each of which ends before the next is submitted."""
    at = 1e9 + 2.0 * HOUR * np.arange(n)
    return pl.concat([history(1)] * n).with_columns(
        id=pl.Series([str(i) for i in range(n)]), submitted_s=at, started_s=at, ended_s=at + HOUR,
        **columns,
    )  # fmt: skip


def follow(sizer, table, peak):
    n = table.height
    kinds, rows = np.tile([0, 1], n), np.repeat(np.arange(n), 2)
    x = History().replay(table)
    return sizer.follow(x, UNKNOWN[:n], kinds, rows, peak, np.full(n, HOUR))


def test_a_task_without_history_gets_a_share_of_its_request():
    table = one_after_the_other(1)
    sizes = follow(RightSizer(), table, np.full(1, 5e9))
    assert 0.25 * 8e9 < sizes.first[0] < 8e9
    assert sizes.made_by[0] == "sizing-2 share of request, unseen"


def test_a_task_with_neither_history_nor_request_is_not_sized():
    table = one_after_the_other(1, memory_requested_bytes=pl.lit(None, pl.Int64))
    assert np.isnan(follow(RightSizer(), table, np.full(1, 5e9)).first[0])


def test_a_kind_that_always_takes_the_same_is_soon_given_little_more():
    sizes = follow(RightSizer(), one_after_the_other(60), np.full(60, 1e9))
    assert 1e9 < sizes.first[-1] < 1.06e9


def test_a_kind_that_grows_with_its_input_is_given_by_its_input():
    rng = np.random.default_rng(0)
    size = rng.integers(10**8, 10**10, 120)
    table = one_after_the_other(120, input_bytes=pl.Series(size))
    peak = 2e8 + 0.5 * size
    sizes = follow(RightSizer(), table, peak)
    late = slice(30, None)
    assert np.mean(sizes.first[late] >= peak[late]) > 0.95
    assert np.mean(sizes.first[late] / peak[late]) < 1.1
    assert "input" in sizes.made_by[-1]


def test_tasks_whose_tags_begin_alike_are_given_alike():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 4, 200)
    tags = [f"sample{g}_rep{i}" for i, g in enumerate(groups)]
    peak = np.array([1e9, 2e9, 4e9, 7e9])[groups]
    sizes = follow(RightSizer(), one_after_the_other(200, tag=pl.Series(tags)), peak)
    assert np.median(sizes.first[100:] / peak[100:]) < 1.2


def test_more_than_the_request_is_given_only_where_the_kind_used_more():
    table = one_after_the_other(50)
    assert follow(RightSizer(), table, np.full(50, 7.99e9)).first.max() <= 8e9 * 1.000001
    assert follow(RightSizer(), table, np.full(50, 9e9)).first[-1] > 9e9


def test_a_predictor_is_believed_once_its_word_has_been_cheaper_than_the_own_laws():
    rng = np.random.default_rng(2)
    peak = np.exp(rng.normal(21.0, 0.7, 200))
    table = one_after_the_other(200, memory_requested_bytes=pl.lit(10**11))
    kinds, rows = np.tile([0, 1], 200), np.repeat(np.arange(200), 2)
    x = History().replay(table)
    told = (peak * np.exp(rng.normal(0.0, 0.05, 200)))[:, None]
    sizes = RightSizer().follow(x, told, kinds, rows, peak, np.full(200, HOUR))
    assert sizes.made_by[-1] == "sizing-2 predictor 1, kind"
    assert np.mean(sizes.first[50:] >= peak[50:]) >= 0.93
    assert np.median(sizes.first[50:] / peak[50:]) < 1.25


@settings(deadline=None)  # the first call compiles
@given(st.integers(1, 40), st.lists(st.integers(0, 40), max_size=3), st.integers(0, 2**16))
def test_following_in_one_call_or_in_many_is_the_same(n, cuts, seed):
    table, peak = one_after_the_other(n), np.random.default_rng(seed).lognormal(20.0, 1.0, n)
    x = History().replay(table)
    whole = follow(RightSizer(), table, peak)
    parts, sizer = [], RightSizer()
    edges = sorted({0, n, *(min(cut, n) for cut in cuts)})
    for begin, end in pairwise(edges):
        part = slice(begin, end)
        k = end - begin
        kinds, rows = np.tile([0, 1], k), np.repeat(np.arange(k), 2)
        hours = np.full(k, HOUR)
        parts.append(sizer.follow(x.take(part), UNKNOWN[:k], kinds, rows, peak[part], hours).first)
        sizer = RightSizer.load(sizer.save())
    np.testing.assert_allclose(np.concatenate([np.zeros(0), *parts]), whole.first)


def test_sizing_changes_nothing_and_learning_later_is_the_same_as_following():
    table, peak = one_after_the_other(30), np.random.default_rng(3).lognormal(20.0, 1.0, 30)
    x = History().replay(table)
    whole = follow(RightSizer(), table, peak)
    sizer, first = RightSizer(), []
    for i in range(30):
        row = x.take(slice(i, i + 1))
        sizes = [sizer.size(row, UNKNOWN[:1]) for _ in range(3)][-1]
        sizer.learn(row, UNKNOWN[:1], peak[i : i + 1], np.full(1, HOUR), sizes)
        first.append(sizes.first[0])
    np.testing.assert_allclose(first, whole.first)


def test_what_comes_later_does_not_change_what_was_given(data):
    from headway.history import open_traces, tasks_of

    path = data / "prediction" / "sizey" / "trace_iwd.csv.gz"
    tasks, _ = tasks_of(open_traces([path]), lambda what, share: None)
    tasks = tasks.head(600)
    moment = float(tasks["submitted_s"][400])
    later = pl.col("ended_s") > moment
    other = tasks.with_columns(
        pl.when(later).then(pl.col("memory_peak_bytes") * 7).otherwise("memory_peak_bytes"),
        pl.when(later).then(pl.col("ended_s") + 999.0).otherwise("ended_s"),
    )
    was, now = (sized(table) for table in (tasks, other))
    known = (tasks["submitted_s"] <= moment).to_numpy()
    np.testing.assert_array_equal(was[known], now[known])
    assert not np.array_equal(was, now)


def sized(tasks):
    from headway.verify.judge import sized as sized_by

    return sized_by(replay(tasks, "memory_bytes"), tasks)[1].first


@given(st.floats(1e6, 1e12), st.floats(0.0, 1e12), st.floats(1e6, 1e12), st.floats(1e6, 1e13))
def test_retries_grow_pass_through_the_request_and_end(failed, largest, request, peak):
    tried = [failed]
    while tried[-1] < peak:
        tried.append(next_bytes(tried[-1], largest, request))
    assert all(b > 1.1 * a or b == request for a, b in pairwise(tried))
    assert len(tried) < 60
    if failed < request < tried[-1]:
        assert request in tried


def test_a_size_is_explained_by_the_tasks_and_the_law_it_comes_from():
    table, sizer = one_after_the_other(31), RightSizer()
    x = History().replay(table)
    cold = sizer.explain(x.take(slice(0, 1)), UNKNOWN[:1])
    assert "no task like it has ended" in cold.sentence
    assert cold.outcomes == 0
    peak = np.linspace(1e9, 1.2e9, 30)
    sizer.learn(x.take(slice(0, 30)), UNKNOWN[:30], peak, np.full(30, HOUR))
    why = sizer.explain(x.take(slice(30, 31)), UNKNOWN[:1])
    assert (why.outcomes, why.law, why.largest) == (30, "constant", pytest.approx(1.2e9))
    assert why.latest == pytest.approx(tuple(peak[:-4:-1]))
    assert why.said < why.given == sizer.size(x.take(slice(30, 31)), UNKNOWN[:1]).first[0]
    assert "of 30 tasks of its kind" in why.sentence


def test_what_failed_attempts_reserved_is_in_vain():
    one = np.ones(1)
    assert bytes_in_vain(4e9 * one, 0.0 * one, 64e9 * one, 3e9 * one)[0] == 1e9
    assert bytes_in_vain(2e9 * one, 3e9 * one, 64e9 * one, 3e9 * one)[0] == pytest.approx(2.6e9)
    assert bytes_in_vain(2e9 * one, 0.0 * one, np.nan * one, 3e9 * one)[0] == 3e9


def test_a_coverage_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="coverage must be in"):
        RightSizer(1.0)


def test_bytes_of_another_version_are_refused():
    files = RightSizer().save()
    files["sizing.json"] = files["sizing.json"].replace(b"sizing-2", b"sizing-1")
    with pytest.raises(ConfigError, match="learn anew"):
        RightSizer.load(files)
