"""A file of series that is followed: what is told, set aside and refused."""

import os
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.alerts import alerts_of, iso, judge_alert, kept, seen_until_s, store_of
from headway.detecting import detect_file
from headway.errors import ConfigError, InputError
from headway.observe.live import BACK, MOST_BACK
from headway.watching import follow

STEP_S = 300.0
BEGIN_S = 1_700_000_000.0
POINTS = 160
ONE = {"detectors": ("shewhart",)}
WORDS = "time,cpu\n" + "".join(f"2026-01-{day:02d},word\n" for day in range(1, 25))


def at(t):
    return iso(BEGIN_S + STEP_S * t)


def values(seed=3, n=POINTS):
    """Two series, each with jumps."""
    y = np.random.default_rng(seed).normal(50.0, 2.0, (n, 2))
    y[70, 0] = y[120, 1] = 90.0
    return y


def wide(y):
    rows = [f"{at(t)},{a:.4f},{b:.4f}" for t, (a, b) in enumerate(y)]
    return "\n".join(["time,cpu,disk", *rows]) + "\n"


def long(y):
    rows = [
        f"{at(t)},{name},{value:.4f}"
        for t, row in enumerate(y)
        for name, value in zip(("cpu", "disk"), row, strict=True)
        if t != 130 or name == "cpu"
    ]
    return "\n".join(["time,series,value", *rows]) + "\n"


def alerts_by_id(alerts):
    return {a.alert_id: a for a in alerts}


@settings(max_examples=12, deadline=None)
@given(data=st.data(), shape=st.sampled_from([wide, long]))
def test_a_file_that_is_followed_in_any_pieces_gives_the_alerts_of_the_whole(data, shape):
    text = shape(values()).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    with tempfile.TemporaryDirectory() as folder:
        path, home = Path(folder, "load.csv"), Path(folder, "home")
        path.write_bytes(b"")
        followed, events = follow(path, home, **ONE), []
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            with path.open("ab") as file:
                file.write(text[start:end])
            events += followed.poll(0.0)
        events += followed.poll(0.0, is_last=True)
        followed.close()
        whole = detect_file(path, home=Path(folder, "other"), progress=lambda *_: None, **ONE)
        assert {(e["event"], e["id"]) for e in events if e["event"] == "alert"} == {
            ("alert", a.alert_id) for one in whole for a in one.alerts
        }
        assert alerts_by_id(kept(store_of(home))) == alerts_by_id(
            a for one in whole for a in one.alerts
        )
        assert seen_until_s(home, "load.csv") == BEGIN_S + STEP_S * (POINTS - 1)
    assert len(events) >= 2


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text(wide(values()))
    return path


def looked(path, home, *appended, **how):
    """The events of following a file that grows once more for each text."""
    with closing(follow(path, home, **(ONE | how))) as followed:
        events = followed.poll(0.0)
        for text in appended:
            append(path, text)
            events += followed.poll(0.0)
        return events, followed.status()


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def test_what_the_home_keeps_already_is_not_told_again(path, tmp_path):
    first, status = looked(path, tmp_path / "home")
    again, after = looked(path, tmp_path / "home")
    assert {e["event"] for e in first} == {"alert"}
    assert again == []
    assert (status["told"], after["told"]) == (len(first), 0)
    assert status["points"] == 2 * POINTS


def test_an_alert_is_told_when_it_comes_and_once_more_when_it_is_over(path, tmp_path):
    append(path, wide_rows(POINTS, 70))
    events, _ = looked(path, tmp_path / "home", f"{at(230)},50,150\n", wide_rows(231, 20))
    news = [e for e in events if e["start"] == at(230)]
    assert [e["event"] for e in news] == ["alert", "over"]
    assert (news[0]["subject"], news[0]["came"], news[0]["end"]) == ("disk", 150.0, None)
    assert news[1]["end"] is not None


def wide_rows(start, n, seed=9):
    y = np.random.default_rng(seed).normal(50.0, 2.0, (n, 2))
    return "".join(f"{at(start + t)},{a:.4f},{b:.4f}\n" for t, (a, b) in enumerate(y))


def test_what_cannot_be_believed_is_set_aside_once_with_its_line_and_reason(path, tmp_path):
    rows = [
        f"{at(170)},NaN,50\n", "never,50,50\n", f"{at(3)},50,50\n", "50,50\n",
        f"{at(171)},many,inf\n", f"{at(172)},,50\n",
    ]  # fmt: skip
    events, status = looked(path, tmp_path / "home", "".join(rows))
    told = [(e["line"], e["reason"]) for e in events if e["event"] == "quarantined"]
    line = POINTS + 2
    assert told == [
        (line, "no finite number in cpu"), (line + 1, "cannot read a time in time"),
        (line + 2, BACK), (line + 3, "wrong number of columns"),
        (line + 4, "cannot read a number in cpu"), (line + 4, "no finite number in disk"),
    ]  # fmt: skip
    assert status["quarantined"] == 6
    assert status["until"] == at(172)
    kept_rows = store_of(tmp_path / "home").read("quarantine")
    assert sorted(zip(kept_rows["line"], kept_rows["reason"], strict=True)) == sorted(told)
    assert kept_rows["text"][0] == rows[0].strip()
    assert looked(path, tmp_path / "home")[0] == []


def test_a_clock_that_goes_back_for_good_is_an_error_that_says_what_to_do(path, tmp_path):
    looked(path, tmp_path / "home", f"{at(10**6)},50,50\n", wide_rows(200, MOST_BACK - 1))
    with pytest.raises(InputError, match=f"{MOST_BACK} rows in a row are before 2033"):
        looked(path, tmp_path / "home", wide_rows(300, 1))


def test_a_file_that_was_cut_or_replaced_is_read_on_without_what_was_known(path, tmp_path):
    text = path.read_text()
    with closing(follow(path, tmp_path / "home", **ONE)) as followed:
        before = followed.poll(0.0)
        path.write_text("time,cpu,disk\n" + wide_rows(POINTS, 30))
        assert [e for e in followed.poll(0.0) if e["event"] == "quarantined"] == []
        other = path.with_name("other")
        other.write_text(text + wide_rows(POINTS, 80) + f"{at(240)},50,150\n")
        os.replace(other, path)
        events = followed.poll(0.0)
        status = followed.status()
    assert at(240) in [e["start"] for e in events]
    assert not {e["id"] for e in events if e["event"] == "alert"} & {e["id"] for e in before}
    assert status["repeated"] == POINTS + 30
    assert status["points"] == 2 * (POINTS + 81)


def test_a_file_that_takes_its_place_may_have_other_columns(path, tmp_path):
    with closing(follow(path, tmp_path / "home", **ONE)) as followed:
        followed.poll(0.0)
        rows = wide_rows(POINTS, 60).replace("\n", ",7\n")
        path.write_text("time,cpu,disk,gpu\n" + rows)
        followed.poll(0.0)
        assert followed.status()["points"] == 2 * POINTS + 3 * 60
        assert followed.status()["series"] == 3


def test_columns_are_told_by_fifty_rows_not_by_the_first(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,cpu,disk\n" + "".join(f"{at(t)},50,\n" for t in range(40)))
    _, status = looked(path, tmp_path / "home", wide_rows(40, 60))
    assert (status["series"], status["points"]) == (2, 200)


def test_a_series_that_falls_silent_does_not_hold_up_the_others(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text(long(values()))
    rows = [f"{at(POINTS + t)},cpu,50\n" for t in range(3)]
    _, status = looked(path, tmp_path / "home", *rows, "", "", "", "")
    assert status["until"] == at(POINTS + 2)


def test_a_verdict_is_heeded_while_the_file_is_followed(path, tmp_path):
    text, told = path.read_text(), {}
    mild = wide_rows(POINTS, 100) + f"{at(POINTS + 100)},64,50\n"
    for heeds in (False, True):
        home = tmp_path / f"home {heeds}"
        path.write_text(text)
        with closing(follow(path, home, **ONE)) as followed:
            followed.poll(0.0)
            for row in alerts_of(home)["alerts"] if heeds else ():
                for i, word in enumerate(["noise", "real", "noise", "real", "noise"]):
                    judge_alert(home, row["id"], word, now_s=float(i))
            append(path, mild)
            told[heeds] = {e["start"] for e in followed.poll(0.0) if e["event"] == "alert"}
    assert at(POINTS + 100) in told[False] - told[True]
    assert told[True] <= told[False]


@pytest.mark.parametrize(
    ("text", "says"),
    [("time,cpu\n", None), ("", None), (WORDS, "no column of numbers"),
     ("alone\n1\n", "only one column"), ("\n\n", "blank line"), ("PAR1....", "no CSV file"),
     ('{"status": "success"}', "no CSV file")],
)  # fmt: skip
def test_a_file_without_series_is_waited_for_or_refused(tmp_path, text, says):
    path = tmp_path / "load.csv"
    path.write_text(text)
    with closing(follow(path, tmp_path / "home", **ONE)) as followed:
        if says is None:
            assert followed.poll(0.0) == []
            assert followed.status()["until"] is None
            return
        with pytest.raises(InputError, match=says):
            followed.poll(0.0, is_last=True)


def test_wrong_names_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match="must be one of"):
        follow(tmp_path / "none.csv", tmp_path, detectors=("clairvoyant",))
    path = tmp_path / "load.csv"
    path.write_text(wide(values()))
    with pytest.raises(ConfigError, match="no column 'gpu'"):
        looked(path, tmp_path / "home", value="gpu")
