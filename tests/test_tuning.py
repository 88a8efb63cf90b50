import json

import polars as pl
import pytest

from headway.errors import ConfigError
from headway.history import open_traces
from headway.report.tuned import tuned_screen
from headway.tuning import told, tune_histories
from tests.predict.made_up import history


def search(tmp_path, **settings):
    path = tmp_path / "past.csv"
    known = history(600).drop("parents").select("id", "user", "submitted_s", "started_s", "ended_s")
    known.write_csv(path)
    fields = {name: name for name in known.columns}
    asked = {
        "target": "runtime", "member": "xgboosted", "minutes": 0.001, "resume": False,
        "out": tmp_path / "tuned.json", "seed": 0, "progress": lambda what, share: None,
    }  # fmt: skip
    return tune_histories(open_traces([path], column_map=fields), **(asked | settings))


def test_the_settings_are_written_and_can_be_read_back(tmp_path):
    document = search(tmp_path)
    assert json.loads((tmp_path / "tuned.json").read_text()) == document
    assert set(document["settings"]) >= {"eta", "max_depth", "rounds"}
    assert (tmp_path / "tuned.journal").stat().st_size > 0


def test_the_screen_says_first_whether_anything_was_gained(tmp_path):
    document = search(tmp_path)
    document["judged"]["is_gain"] = False
    assert "keep the defaults" in tuned_screen(document).split("\n")[0]
    document["judged"]["is_gain"] = True
    assert "are better than ours" in tuned_screen(document).split("\n")[0]


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [("target", "speed", "runtime"), ("minutes", 0.0, "minutes"), ("member", "oracle", "boosted")],
)
def test_what_is_wrong_is_said_before_the_search(tmp_path, name, value, word):
    with pytest.raises(ConfigError, match=word):
        search(tmp_path, **{name: value})


def test_memory_of_a_killed_task_is_a_lower_bound_and_its_runtime_is_not():
    table = history(60)
    killed = ["out_of_memory" if i == 3 else "completed" for i in range(60)]
    table = table.with_columns(state=pl.Series(killed))
    assert told(table, "memory_bytes").censored.nonzero()[0].tolist() == [3]
    assert not told(table, "runtime_s").censored.any()
