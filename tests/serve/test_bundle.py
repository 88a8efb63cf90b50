import pytest
from tests.serve.made_home import make_home
from tests.serve.test_advisor import NOW_S, a_task

from headway.errors import ConfigError
from headway.serve import connect
from headway.serve.advisor import Advisor
from headway.serve.bundle import write_bundle
from headway.serve.mirror import OFF, mirror_if_possible
from headway.serve.versions import training_of_metas
from headway.store import ModelStore


def test_a_bundle_answers_as_its_home(tmp_path):
    home, _, _ = make_home(tmp_path)
    write_bundle(home, training_of_metas(ModelStore(home), "v000001"), tmp_path / "bundle")
    task = a_task(user="1", name="1", limit_s=14400.0, memory_requested_bytes=320_000_000)
    told = Advisor(tmp_path / "bundle").advise(task, NOW_S)
    assert repr(told) == repr(Advisor(home).advise(task, NOW_S))  # NaN is not itself
    assert not told.refused
    assert connect(tmp_path / "bundle", is_logged=False).version == told.version


def test_nothing_is_mirrored_where_it_is_switched_off(tmp_path):
    assert mirror_if_possible(tmp_path, OFF) is None


def test_a_training_that_is_not_there_makes_no_bundle(tmp_path):
    home, _, _ = make_home(tmp_path)
    with pytest.raises(ConfigError, match="no training"):
        write_bundle(home, training_of_metas(ModelStore(home), "v9"), tmp_path / "bundle")
