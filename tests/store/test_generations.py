import pytest

from headway.errors import ConfigError, StoreError
from headway.store import ModelMeta, ModelStore
from headway.store.generations import generations, pointers, settle, switch

NAMES = ("history", "runtime")


def publish(home, times=2):
    store = ModelStore(home)
    for k in range(times):
        for name in NAMES:
            meta = ModelMeta(created_s=float(k + 1), metrics={})
            store.publish(name, {"m.txt": f"{name} {k}".encode()}, meta)
    return store


def parts(version):
    return tuple((name, version) for name in NAMES)


def test_a_switch_moves_all_pointers_and_is_numbered(tmp_path):
    store = publish(tmp_path)
    done = switch(tmp_path, parts("v000001"), parts("v000002"), by="ann", why="worse", at_s=5.0)
    assert (done.number, done.is_done) == (1, True)
    assert pointers(store, NAMES) == parts("v000001")
    assert generations(tmp_path) == (done,)
    again = switch(tmp_path, parts("v000002"), parts("v000001"), by="", why="", at_s=6.0)
    assert again.number == 2


def test_a_damaged_model_is_refused_and_nothing_changes(tmp_path):
    store = publish(tmp_path)
    (tmp_path / "models/runtime/v000001/m.txt").write_bytes(b"runtime 9")
    with pytest.raises(StoreError, match="damaged"):
        switch(tmp_path, parts("v000001"), parts("v000002"), by="", why="", at_s=5.0)
    assert pointers(store, NAMES) == parts("v000002")
    assert generations(tmp_path) == ()


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_what_a_crash_cut_off_is_finished(tmp_path, monkeypatch, moved):
    store, left = publish(tmp_path), [moved]
    use = ModelStore.use

    def dies(self, name, version):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        use(self, name, version)

    monkeypatch.setattr(ModelStore, "use", dies)
    if moved == 2:
        monkeypatch.setattr("headway.store.generations.replace", lambda *_, **__: 1 / 0)
    with pytest.raises((KeyboardInterrupt, ZeroDivisionError)):
        switch(tmp_path, parts("v000001"), parts("v000002"), by="", why="", at_s=5.0)
    monkeypatch.undo()
    assert not generations(tmp_path)[-1].is_done
    settle(tmp_path)
    assert pointers(store, NAMES) == parts("v000001")
    assert generations(tmp_path)[-1].is_done


def test_what_was_published_after_a_crash_stays(tmp_path, monkeypatch):
    store = publish(tmp_path)
    monkeypatch.setattr(ModelStore, "use", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        switch(tmp_path, parts("v000001"), parts("v000002"), by="", why="", at_s=5.0)
    monkeypatch.undo()
    store.publish("history", {"m.txt": b"new"}, ModelMeta(created_s=9.0, metrics={}))
    settle(tmp_path)
    assert store.current("history") == "v000003"


def test_a_switch_from_what_is_not_current_any_more_is_refused(tmp_path):
    publish(tmp_path)
    with pytest.raises(StoreError, match="meanwhile"):
        switch(tmp_path, parts("v000002"), parts("v000001"), by="", why="", at_s=5.0)


def test_versions_are_removed_but_for_the_current_and_the_newest(tmp_path):
    store = publish(tmp_path, times=3)
    store.use("runtime", "v000002")
    store.remove("runtime", "v000001")
    assert store.versions("runtime") == ("v000002", "v000003")
    for version in ("v000002", "v000003"):
        with pytest.raises(ConfigError, match="stays"):
            store.remove("runtime", version)
    with pytest.raises(StoreError, match="no version"):
        store.remove("runtime", "v000001")
    assert store.publish("runtime", {"m": b"x"}, ModelMeta(created_s=9.0, metrics={})) == "v000004"
