import numpy as np
import polars as pl
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.observe.load import KINDS, load_of
from headway.tables import complete

HOUR = 3600.0


def tasks(rows):
    """Tasks of (submitted, started, ended) in hours and more columns."""
    base = {"cluster": "c", "attempt": 1, "parents": [], "state": "unknown"}
    made = []
    for i, (times, more) in enumerate(rows):
        names = ("submitted_s", "started_s", "ended_s")
        moments = {n: None if t is None else t * HOUR for n, t in zip(names, times, strict=True)}
        made.append({**base, "id": str(i), **moments, **more})
    return complete("task", pl.DataFrame(made, infer_schema_length=None))


FOUR = tasks(
    [
        ((0.0, 0.5, 2.5), {"cpus_requested": 4.0, "limit_s": 7200.0, "queue": "a"}),
        ((0.5, 1.0, 1.25), {"cpus_requested": 8.0, "memory_peak_bytes": 100, "queue": "b"}),
        ((1.0, None, 2.0), {"cpus_requested": 2.0, "queue": "a"}),  # cancelled while it waited
        ((4.0, None, None), {"cpus_requested": 1.0, "queue": "a"}),
    ]
)


def series(panel, name):
    return panel.y[:, panel.names.index(name)].tolist()


def test_load_is_counted_in_whole_steps_up_to_the_last_submission():
    panel = load_of(FOUR, HOUR)
    assert panel.at_s.tolist() == [0.0, HOUR, 2 * HOUR, 3 * HOUR]
    assert panel.seasons == (24, 168)
    assert series(panel, "arrivals") == [2, 1, 0, 0]
    assert series(panel, "core_s_asked") == [4 * 7200.0, 0, 0, 0]
    assert series(panel, "queued_tasks") == pytest.approx([0.5 + 0.5, 1.0, 0, 0])
    assert series(panel, "queued_cores") == pytest.approx([2.0 + 4.0, 2.0, 0, 0])
    assert series(panel, "running_tasks") == pytest.approx([0.5, 1.25, 0.5, 0])
    assert series(panel, "cores") == pytest.approx([2.0, 4.0 + 2.0, 2.0, 0])
    assert series(panel, "core_s_done") == pytest.approx([0, 8 * 900.0, 4 * 7200.0, 0])
    assert series(panel, "memory_byte_s_done") == pytest.approx([0, 100 * 900.0, 0, 0])


def test_kinds_of_which_nothing_is_known_are_left_out():
    names = load_of(FOUR, HOUR).names
    assert set(KINDS) - set(names) == {"memory_bytes", "gpus"}


def test_groups_are_counted_apart_and_add_up():
    whole = load_of(FOUR, HOUR, ["cores", "arrivals"])
    parts = load_of(FOUR, HOUR, ["cores", "arrivals"], by="queue")
    assert parts.names == ("cores a", "cores b", "arrivals a", "arrivals b")
    np.testing.assert_allclose(parts.y[:, :2].sum(axis=1), whole.y[:, 0])
    few = load_of(FOUR, HOUR, ["arrivals"], by="queue", most=1)
    assert few.names == ("arrivals a", "arrivals (others)")
    np.testing.assert_allclose(few.y.sum(axis=1), whole.y[:, 1])


def many(n=400, seed=0):
    rng = np.random.default_rng(seed)
    begun = np.sort(rng.uniform(0, 90, n))
    wait, ran = rng.exponential(1.0, n), rng.exponential(3.0, n)
    return tasks(
        [
            (
                (s, s + w if w < 3 else None, s + w + r if w < 3 and r < 9 else None),
                {
                    "cpus_requested": float(rng.integers(1, 9)),
                    "limit_s": 5 * HOUR,
                    "memory_requested_bytes": int(rng.integers(1, 99)),
                    "memory_peak_bytes": int(rng.integers(1, 99)),
                    "gpus": float(rng.integers(0, 2)),
                    "user": f"u{rng.integers(0, 4)}",
                },
            )
            for s, w, r in zip(begun, wait, ran, strict=True)
        ]
    )


def test_what_comes_later_changes_no_step_that_is_over():
    table = many()
    whole = load_of(table, HOUR, by="user")
    for until_s in (20 * HOUR, 50.5 * HOUR):
        known = table.filter(pl.col("submitted_s") < until_s)
        late = pl.col("started_s") >= until_s, pl.col("ended_s") >= until_s
        known = known.with_columns(
            started_s=pl.when(~late[0]).then(pl.col("started_s")),
            ended_s=pl.when(~late[1]).then(pl.col("ended_s")),
            memory_peak_bytes=pl.when(~late[1]).then(pl.col("memory_peak_bytes")),
        )
        then = load_of(known, HOUR, by="user", until_s=until_s)
        assert len(then.at_s) == int(until_s // HOUR)
        for name in then.names:
            np.testing.assert_allclose(
                then.y[:, then.names.index(name)],
                whole.y[: len(then.y), whole.names.index(name)],
                atol=1e-6,
            )


def test_means_are_those_of_a_finer_count():
    table = many()
    hours, minutes = (load_of(table, s, ["cores", "queued_tasks"]) for s in (HOUR, 60.0))
    n = len(hours.at_s)
    offset = round((hours.at_s[0] - minutes.at_s[0]) / 60.0)
    fine = np.zeros((n * 60, 2))
    fine[-offset:] = minutes.y[: n * 60 + offset]
    np.testing.assert_allclose(hours.y, fine.reshape(n, 60, 2).mean(axis=1), atol=1e-9)


def test_too_little_or_wrong_is_said():
    with pytest.raises(NotEnoughData, match="4 tasks"):
        load_of(FOUR, 86400.0)
    with pytest.raises(NotEnoughData, match="0 tasks"):
        load_of(FOUR.head(0), HOUR)
    with pytest.raises(ConfigError, match="got magic"):
        load_of(FOUR, HOUR, ["magic"])
    with pytest.raises(ConfigError, match="queue or user"):
        load_of(FOUR, HOUR, by="colour")
    with pytest.raises(ConfigError, match="step_s"):
        load_of(FOUR, 0.0)
