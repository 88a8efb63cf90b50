from dataclasses import replace

import numpy as np
import pytest
from tests.predict.made_up import history

from headway.errors import ConfigError, NotEnoughData
from headway.train import tune as module
from headway.train.tune import JUDGED, SEARCHED, judge, tune
from headway.tuning import told

FEW = ("user", "cpus", "hour", "user.ewma_log", "user.ended", "all.ewma_log")


def short(n):
    """A history of which only a few columns are looked at, to be quick."""
    whole = told(history(n), "runtime_s")
    return replace(whole, columns=replace(whole.columns, names=FEW))


@pytest.fixture(scope="module")
def past():
    return short(700)


def search(past, folder, **settings):
    asked = {"seconds": 600.0, "trials": 3} | settings
    return tune(past, "boosted", folder / "tuned.journal", **asked)


def test_the_search_never_sees_the_part_that_is_judged(past, tmp_path):
    n = len(past.x)
    cut_s = past.x.at_s[int(JUDGED[0] * n)]
    hidden = (np.arange(n) >= int(JUDGED[0] * n)) | (past.ended_s > cut_s)
    other = replace(past, y=np.where(hidden & np.isfinite(past.y), past.y * 7.0, past.y))
    one, two = (
        tune(p, "boosted", tmp_path / f"{i}.journal", seconds=600.0, trials=3)
        for i, p in enumerate((past, other))
    )
    assert max(SEARCHED) <= min(JUDGED)
    assert one["settings"] == two["settings"]
    assert one["search"] == two["search"]
    assert one["judged"] != two["judged"]


def test_a_block_is_foretold_from_what_had_ended_before_it(past):
    cut = int(0.5 * len(past.x))
    late = past.ended_s > past.x.at_s[cut]
    changed = replace(past, y=np.where(late, 1.0, past.y))
    rows, _ = module._block(past, "boosted", {}, 0.5, 0.6, 0)
    said = []
    for history_ in (past, changed):
        kept = replace(history_, y=history_.y.copy())
        kept.y[rows] = past.y[rows]  # what is asked about stays, what is learned must not move
        said.append(module._block(kept, "boosted", {}, 0.5, 0.6, 0)[1])
    np.testing.assert_array_equal(*said)


def test_our_own_settings_are_the_first_trial_so_the_best_is_never_worse_while_searching(
    past, tmp_path
):
    found = search(past, tmp_path)
    assert found["search"]["tuned_pinball_log"] <= found["search"]["defaults_pinball_log"]
    assert sum(found["trials"].values()) == 3


def test_a_search_goes_on_where_it_was_stopped(past, tmp_path):
    search(past, tmp_path, trials=2)
    more = search(past, tmp_path, trials=2, resume=True)
    assert more["trials_before"] == 2
    assert sum(more["trials"].values()) == 4


def test_a_search_that_was_killed_in_its_first_trial_tries_our_settings_again(past, tmp_path):
    journal = tmp_path / "tuned.journal"
    module._study(past, "boosted", journal, resume=False, seed=0).ask()  # begun, never told of
    found = search(past, tmp_path, trials=1, resume=True)
    assert found["trials"] == {"complete": 1, "running": 1}
    assert found["search"]["defaults_pinball_log"] == found["search"]["tuned_pinball_log"]


def test_a_journal_is_neither_overwritten_nor_mixed_with_another_history(past, tmp_path):
    search(past, tmp_path, trials=1)
    with pytest.raises(ConfigError, match="--resume"):
        search(past, tmp_path)
    with pytest.raises(ConfigError, match="another history"):
        search(short(701), tmp_path, resume=True)


def test_the_defaults_are_no_gain_over_themselves(past):
    judged = judge(past, "xgboosted", {}, seed=0)
    assert judged["difference"] == 0.0
    assert not judged["is_gain"]
    assert judged["tasks"] == pytest.approx(0.3 * len(past.x), abs=2)


def test_settings_that_cannot_learn_are_no_gain(past):
    judged = judge(past, "boosted", {"rounds": 1, "num_leaves": 2, "learning_rate": 0.001}, seed=0)
    assert judged["difference"] > 0.0
    assert not judged["is_gain"]


def test_time_is_a_box(past, tmp_path):
    shares = []
    found = search(past, tmp_path, seconds=0.01, trials=None, progress=shares.append)
    assert sum(found["trials"].values()) == 1  # the one that was running when time was up
    assert shares[-1] > 1.0


def test_progress_says_how_much_is_done(past, tmp_path):
    shares = []
    search(past, tmp_path, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_what_cannot_be_tuned_is_said_at_the_door(past, tmp_path):
    with pytest.raises(ConfigError, match="oracle"):
        tune(past, "oracle", tmp_path / "j", seconds=1.0)
    with pytest.raises(NotEnoughData, match="500"):
        tune(short(100), "boosted", tmp_path / "j", seconds=1.0)
