"""What is decided of rollouts survives, whoever dies when."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from headway.errors import ConfigError
from headway.rollout import Plan, pause, promote, roll_back
from headway.serve.rollouts import change, find, read_changes, read_rollouts, settle, start
from headway.store.models import ModelMeta, ModelStore


def publish(home, created_s, *, is_current=True):
    """A training of empty models; its version."""
    for name in ("runtime", "history"):
        meta = ModelMeta(created_s=created_s, metrics={})
        version = ModelStore(home).publish(name, {"a": b"a"}, meta, is_current=is_current)
    return version


@pytest.fixture
def home(tmp_path):
    publish(tmp_path, 1.0)
    publish(tmp_path, 2.0, is_current=False)
    return tmp_path


def current(home):
    return {ModelStore(home).current(name) for name in ("runtime", "history")}


def test_a_rollout_starts_in_shadow_with_the_newest_training_and_is_read_back_whole(home):
    plan = Plan(key="user", metric="waste", margins=(("wait", 5.0),))
    begun = start(home, plan=plan, by="ann", now_s=10.0)
    assert (begun.champion, begun.challenger, begun.share) == ("v000001", "v000002", 0.0)
    assert read_rollouts(home) == (begun,)
    assert current(home) == {"v000001"}


def test_a_champion_that_is_named_becomes_current(home):
    for name in ("runtime", "history"):
        ModelStore(home).use(name, "v000002")
    start(home, "v000002", champion="v000001", now_s=10.0)
    assert current(home) == {"v000001"}


def test_what_cannot_be_rolled_out_is_said(home, tmp_path):
    start(home, now_s=10.0)
    for words, call in {
        "rolled out already": lambda: start(home, now_s=11.0),
        "nothing to roll out": lambda: start(home, "v000001", now_s=11.0),
        "no training": lambda: start(home, "v000009", now_s=11.0),
        "no rollout": lambda: find(home, "r000009"),
        "no trained models": lambda: start(tmp_path / "none", now_s=11.0),
    }.items():
        with pytest.raises(ConfigError, match=words):
            call()
    assert len(read_rollouts(home)) == 1


def test_promoting_makes_all_models_of_the_challenger_current(home):
    begun = start(home, now_s=10.0)
    done = change(home, begun.rollout_id, lambda r: promote(r, "x", 20.0), by="ann", now_s=20.0)
    assert (done.status, done.is_in_place, current(home)) == ("promoted", True, {"v000002"})
    assert [c["by"] for c in read_changes(home)] == ["", "ann", "headway"]
    with pytest.raises(ConfigError, match="has ended"):
        change(home, begun.rollout_id, lambda r: roll_back(r, "x", 30.0), by="ann", now_s=30.0)


def test_a_crash_between_the_pointers_of_a_promotion_is_finished_at_the_next_start(home):
    begun = start(home, now_s=10.0)
    code = f"""
import os, signal
from headway.rollout import promote
from headway.serve.rollouts import change
from headway.store.models import ModelStore
use = ModelStore.use
def once(self, name, version):
    use(self, name, version)
    os.kill(os.getpid(), signal.SIGKILL)
ModelStore.use = once
change({str(home)!r}, {begun.rollout_id!r}, lambda r: promote(r, "x", 20.0), by="", now_s=20.0)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert current(home) == {"v000001", "v000002"}
    assert not find(home).is_in_place
    settle(home, 30.0)
    assert (current(home), find(home).is_in_place) == ({"v000002"}, True)


def test_a_newer_training_is_not_taken_back_by_an_old_promotion_that_is_finished(home):
    begun = start(home, now_s=10.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelStore, "use", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            change(home, begun.rollout_id, lambda r: promote(r, "x", 20.0), by="", now_s=20.0)
    publish(home, 3.0)
    settle(home, 30.0)
    assert current(home) == {"v000003"}


def test_a_process_that_is_killed_while_it_changes_leaves_a_state_that_was_decided(home):
    begun = start(home, now_s=0.0)
    code = f"""
from dataclasses import replace
from headway.serve.rollouts import change
for n in range(10**6):
    change({str(home)!r}, {begun.rollout_id!r}, lambda r: replace(r, why=str(n)), by="", now_s=1.0)
    print(n, flush=True)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(30):
            said = int(process.stdout.readline())
        process.kill()
        said = [said, *map(int, process.stdout.read().split())][-1]
    assert int(find(home).why) in (said, said + 1)
    change(home, begun.rollout_id, lambda r: pause(r, "after"), by="", now_s=2.0)
    assert find(home).why == "after"


def test_two_that_change_at_once_lose_no_change_of_each_other(home):
    begun = start(home, now_s=0.0)

    def raise_stage():
        for _ in range(10):
            change(home, begun.rollout_id, lambda r: replace(r, started_s=r.started_s + 1.0),
                   by="", now_s=1.0)  # fmt: skip

    threads = [threading.Thread(target=raise_stage) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert find(home).started_s == 20.0
