import json
from threading import Thread

import pytest

from headway.errors import ConfigError, StoreError
from headway.store import ModelMeta, ModelStore

META = ModelMeta(created_s=12.5, features_version="f3", metrics={"coverage_95": 0.951})
FILES = {"median.txt": b"tree\n", "scale.json": b"{}"}


@pytest.fixture
def models(tmp_path):
    return ModelStore(tmp_path)


def test_what_is_published_is_loaded(models, tmp_path):
    assert models.publish("runtime", FILES, META) == "v000001"
    model = models.load("runtime")
    assert (model.name, model.version, model.files, model.meta) == (
        "runtime", "v000001", FILES, META,
    )  # fmt: skip
    said = json.loads((tmp_path / "models/runtime/v000001/meta.json").read_text())
    assert (said["name"], said["version"]) == ("runtime", "v000001")


def test_the_last_published_is_current_and_older_ones_stay(models):
    for text in (b"one", b"two"):
        models.publish("runtime", {"m.txt": text}, META)
    assert models.versions("runtime") == ("v000001", "v000002")
    assert models.load("runtime").files == {"m.txt": b"two"}
    assert models.load("runtime", "v000001").files == {"m.txt": b"one"}


def test_rollback_goes_one_step_back_and_ends_at_the_first(models):
    for _ in range(3):
        models.publish("runtime", FILES, META)
    assert [models.rollback("runtime"), models.rollback("runtime")] == ["v000002", "v000001"]
    with pytest.raises(StoreError, match="no version before v000001"):
        models.rollback("runtime")
    assert models.load("runtime").version == "v000001"
    assert models.publish("runtime", FILES, META) == "v000004"


def test_a_model_that_is_not_there_is_named(models):
    assert models.versions("runtime") == ()
    with pytest.raises(StoreError, match="no model 'runtime'"):
        models.load("runtime")
    models.publish("runtime", FILES, META)
    with pytest.raises(StoreError, match="v000007"):
        models.load("runtime", "v000007")


@pytest.mark.parametrize("damage", [b"", b"tree", b"tree\r", None])
def test_a_damaged_or_missing_file_is_noticed(models, tmp_path, damage):
    models.publish("runtime", FILES, META)
    file = tmp_path / "models/runtime/v000001/median.txt"
    file.unlink() if damage is None else file.write_bytes(damage)
    with pytest.raises(StoreError, match=r"median\.txt"):
        models.load("runtime")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": {"../../x": "0"}}'])
def test_a_damaged_description_is_noticed(models, tmp_path, text):
    models.publish("runtime", FILES, META)
    (tmp_path / "models/runtime/v000001/meta.json").write_text(text)
    with pytest.raises(StoreError, match="runtime"):
        models.load("runtime")


def test_a_failed_publication_leaves_the_current_model_and_no_rest(models, tmp_path, monkeypatch):
    models.publish("runtime", FILES, META)

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(StoreError, match="the disk is full"):
        models.publish("runtime", {"m.txt": b"new"}, META)
    assert models.load("runtime").files == FILES
    assert {p.name for p in (tmp_path / "models/runtime").iterdir()} == {"v000001", "current"}


def test_publications_at_the_same_time_get_versions_of_their_own(models):
    many = [
        Thread(target=models.publish, args=("runtime", {"m": bytes([i])}, META)) for i in range(8)
    ]
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    kept = [models.load("runtime", version).files["m"][0] for version in models.versions("runtime")]
    assert sorted(kept) == list(range(8))


def test_names_that_would_leave_the_folder_are_refused(models):
    for name in ("", "../x", "a/b", ".hidden", "A b"):
        with pytest.raises(ConfigError, match="must match"):
            models.publish(name, FILES, META)
        with pytest.raises(ConfigError, match="must match"):
            models.publish("runtime", {name: b""}, META)
    with pytest.raises(ConfigError, match="at least one file"):
        models.publish("runtime", {}, META)
    with pytest.raises(ConfigError, match="finite"):
        models.publish("runtime", FILES, ModelMeta(created_s=0.0, metrics={"x": float("nan")}))
