import gzip
import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from headway.errors import ConfigError, HeadwayError, InputError
from headway.observe.series import read_series

HOUR = 3600.0
BEGIN_S = datetime(2024, 3, 4, tzinfo=UTC).timestamp()


def written(tmp_path, text, name="load.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def stamp(hour, style="%Y-%m-%d %H:%M:%S"):
    return datetime.fromtimestamp(BEGIN_S + hour * HOUR, UTC).strftime(style)


def rows(times, style="%Y-%m-%d %H:%M:%S", header="timestamp,cpu,mem"):
    return header + "\n" + "".join(f"{stamp(h, style)},{h},{h * 10}\n" for h in times)


def assert_read(panel, names=("cpu", "mem"), n=48):
    assert panel.names == names
    assert panel.step_s == HOUR
    assert panel.seasons == (24, 168)
    np.testing.assert_array_equal(panel.at_s, BEGIN_S + HOUR * np.arange(n))
    np.testing.assert_array_equal(panel.y, np.arange(n)[:, None] * [1.0, 10.0])


@pytest.mark.parametrize("name", ["load.csv", "load.csv.gz"])
def test_every_column_of_numbers_is_a_series(tmp_path, name):
    read = read_series(written(tmp_path, rows(range(48)), name))
    assert_read(read.panel)
    assert read.doubts == ["its times state no zone: they are read as UTC"]
    assert read.reasons == {}


@pytest.mark.parametrize(
    "style",
    ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00", "%s"],
)
def test_moments_are_read_in_many_styles(tmp_path, style):
    text = rows(range(48), style)
    if style == "%s":
        text = "t,cpu,mem\n" + "".join(f"{BEGIN_S + h * HOUR},{h},{h * 10}\n" for h in range(48))
    assert_read(read_series(written(tmp_path, text)).panel)


@pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
def test_epochs_are_told_by_their_size(tmp_path, unit):
    lines = "".join(f"{int((BEGIN_S + h * HOUR) * unit)},{h},{h * 10}\n" for h in range(48))
    assert_read(read_series(written(tmp_path, "ts,cpu,mem\n" + lines)).panel)


def test_the_column_of_times_is_found_by_content_wherever_it_stands(tmp_path):
    lines = "".join(f"{h},{h * 10},{stamp(h)}\n" for h in range(48))
    assert_read(read_series(written(tmp_path, "cpu,mem,when\n" + lines)).panel)


def test_columns_can_be_named(tmp_path):
    lines = "".join(f"{stamp(h + 7)},{stamp(h)},{h},{h * 10}\n" for h in range(48))
    path = written(tmp_path, "time,other,a,b\n" + lines)
    panel = read_series(path, time="other", values=["b", "a"]).panel
    assert panel.names == ("b", "a")
    assert panel.at_s[0] == BEGIN_S


@pytest.mark.parametrize("key", ["series", "unique_id"])
def test_a_long_file_has_a_series_for_each_name(tmp_path, key):
    lines = "".join(
        f"{stamp(h)},{s},{h * f}\n" for h in range(48) for s, f in (("a", 1), ("b", 10))
    )
    read = read_series(written(tmp_path, f"ds,{key},y\n" + lines))
    assert_read(read.panel, ("a", "b"))
    lines = "".join(f"{stamp(h)},{s},{h},{h}\n" for h in range(5) for s in "ab")
    read = read_series(written(tmp_path, f"ds,{key},y,z\n" + lines))
    assert read.panel.names == ("a y", "b y", "a z", "b z")


def test_rows_of_several_series_are_not_mixed_up(tmp_path):
    lines = "".join(f"{v},{stamp(h)},{h * v}\n" for v in (1, 10, 100) for h in range(48))
    path = written(tmp_path, "vm,ts,cpu\n" + lines)
    with pytest.raises(InputError, match="several rows for each time"):
        read_series(path)
    panel = read_series(path, series="vm").panel
    assert panel.names == ("1", "10", "100")
    np.testing.assert_array_equal(panel.y[5], [5, 50, 500])


@pytest.mark.parametrize("name", ["load.parquet", "load.parquet.gz"])
def test_parquet_is_read_with_its_types(tmp_path, name):
    moments = pl.from_epoch(pl.Series("at", BEGIN_S + HOUR * np.arange(48)), "s")
    frame = pl.DataFrame({"at": moments.dt.replace_time_zone("UTC"), "cpu": range(48)})
    frame = frame.with_columns(mem=pl.col("cpu") * 10)
    frame.write_parquet(tmp_path / "load.parquet")
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress((tmp_path / "load.parquet").read_bytes()))
    assert_read(read_series(path).panel)


def test_shuffled_and_repeated_rows_change_nothing(tmp_path):
    turn = [*np.random.default_rng(0).permutation(48), 5, 7]
    assert_read(read_series(written(tmp_path, rows(turn))).panel)


def test_gaps_are_not_observed(tmp_path):
    panel = read_series(written(tmp_path, rows([*range(10), *range(20, 30)]))).panel
    assert len(panel.y) == 30
    assert np.isnan(panel.y[10:20]).all()


def test_broken_rows_are_set_aside_with_their_reasons(tmp_path):
    text = rows(range(48)) + "not a time,1,2\n" + f"{stamp(48)},high,5\n" + "1,2\n"
    read = read_series(written(tmp_path, text))
    assert read.reasons == {
        "wrong number of columns": 1,
        "cannot read a time in timestamp": 1,
        "cannot read a number in cpu": 1,
    }
    assert read.panel.y.shape == (49, 2)
    assert np.isnan(read.panel.y[48, 0])


def test_columns_of_words_are_left_out_and_named(tmp_path):
    lines = "".join(f"{stamp(h)},{h},node-{h}\n" for h in range(9))
    read = read_series(written(tmp_path, "time,cpu,host\n" + lines))
    assert read.panel.names == ("cpu",)
    assert any("host" in doubt for doubt in read.doubts)


def test_an_hour_that_is_there_twice_in_a_zone_is_two_hours(tmp_path):
    # Berlin, 27 October 2024: 02:00 to 03:00 comes twice
    local = [22, 23, 0, 1, 2, 2, 3, 4]
    days = [26, 26, 27, 27, 27, 27, 27, 27]
    lines = "".join(
        f"2024-10-{d} {h:02d}:00:00,{i}\n" for i, (d, h) in enumerate(zip(days, local, strict=True))
    )
    read = read_series(written(tmp_path, "time,cpu\n" + lines), zone="Europe/Berlin")
    assert read.panel.y[:, 0].tolist() == list(range(8))
    assert read.panel.at_s[0] == datetime(2024, 10, 26, 20, tzinfo=UTC).timestamp()
    assert read.doubts == []


def test_an_hour_that_is_left_out_in_a_zone_is_no_gap(tmp_path):
    # Berlin, 31 March 2024: 02:00 to 03:00 does not come
    lines = "".join(f"2024-03-31 {h:02d}:00:00,{h}\n" for h in (0, 1, 3, 4))
    panel = read_series(written(tmp_path, "time,cpu\n" + lines), zone="Europe/Berlin").panel
    assert panel.y[:, 0].tolist() == [0, 1, 3, 4]
    with pytest.raises(ConfigError, match="Berlin"):
        read_series(written(tmp_path, "time,cpu\n" + lines), zone="Nowhere/Land")


def test_days_and_five_minutes_are_told_apart(tmp_path):
    days = "".join(f"2024-03-{d:02d},{d}\n" for d in range(1, 30))
    assert read_series(written(tmp_path, "date,y\n" + days)).panel.seasons == (7,)
    minutes = "".join(f"{stamp(m / 12)},{m}\n" for m in range(60))
    assert read_series(written(tmp_path, "date,y\n" + minutes)).panel.seasons == (288, 2016)
    hourly = read_series(written(tmp_path, "date,y\n" + minutes), step_s=HOUR).panel
    assert hourly.y[:, 0].tolist() == [5.5 + 12 * h for h in range(5)]


def test_an_answer_of_prometheus_in_a_file_is_read(tmp_path):
    values = [[BEGIN_S + 60 * k, str(k)] for k in range(9)] + [[BEGIN_S + 540, "NaN"]]
    metric = {"__name__": "node_load1", "instance": "a:9100"}
    answer = {"resultType": "matrix", "result": [{"metric": metric, "values": values}]}
    text = json.dumps({"status": "success", "data": answer})
    panel = read_series(written(tmp_path, text, "answer.json.gz")).panel
    assert panel.names == ('node_load1{instance="a:9100"}',)
    assert panel.step_s == 60.0
    assert panel.y[:, 0].tolist() == list(range(9))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("\n\n", "one column"),
        ("value\n1\n2\n", "one column"),
        ("time,cpu\n", "no rows"),
        ("a,b\n1,2\n3,4\n", "no column of times"),
        ("time,host\n2024-01-01,a\n2024-01-02,b\n", "no column of numbers"),
        ("time,cpu\n2024-01-01,1\n", "one point only"),
        ("time,cpu\nsoon,1\nlater,2\n", "no column of times"),
        ("{}", "no answer of Prometheus"),
        ('{"status": "error", "error": "bad query"}', "bad query"),
        ('{"status": "success", "data": {"resultType": "vector", "result": []}}', "query_range"),
        ('{"status": "success", "data": {"resultType": "matrix", "result": []}}', "no series"),
        ("PAR1 and then nothing", "Parquet"),
    ],
)
def test_what_is_no_series_is_refused_in_a_sentence(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        read_series(written(tmp_path, text))


def test_a_column_that_is_not_there_is_named(tmp_path):
    path = written(tmp_path, rows(range(5)))
    for words in ({"time": "when"}, {"values": ["gpu"]}):
        with pytest.raises(ConfigError, match="it has timestamp, cpu, mem"):
            read_series(path, **words)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_give_series_or_a_sentence(tmp_path, seed):
    rng = np.random.default_rng(seed)
    raw = bytearray(rows(range(20)).encode())
    for place in rng.integers(0, len(raw), 1 + seed // 3):
        raw[place] = rng.integers(0, 256)
    path = tmp_path / "damaged.csv"
    path.write_bytes(bytes(raw))
    try:
        read = read_series(path)
    except HeadwayError:
        return
    assert len(read.panel.at_s) == len(read.panel.y)
