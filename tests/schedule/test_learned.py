import numpy as np
import pytest

from headway.errors import ConfigError, InputError
from headway.schedule import learned as module
from headway.schedule.learned import Learned, learned_named, load_learned, save_learned
from headway.schedule.network import SIZE


def policy(seed=0):
    return Learned(
        weights=np.random.default_rng(seed).normal(size=SIZE), algo="search", seed=seed,
        decisions=12, backfill="easy", trained_on="a trace", validation={"ratio": 0.9},
    )  # fmt: skip


def test_a_saved_policy_comes_back_as_it_was(tmp_path):
    path = tmp_path / "made" / "policy.npz"
    save_learned(policy(), path)
    back = load_learned(path)
    np.testing.assert_array_equal(back.weights, policy().weights)
    assert (back.algo, back.seed, back.decisions, back.trained_on) == ("search", 0, 12, "a trace")
    assert back.validation == {"ratio": 0.9}
    assert back.network.linear.shape == (16,)
    assert list(path.parent.iterdir()) == [path]


def test_a_policy_is_found_by_its_name_on_the_command_line(tmp_path):
    save_learned(policy(2), tmp_path / "mine.npz")
    assert learned_named(f"learned:{tmp_path / 'mine.npz'}").seed == 2


def test_a_policy_of_other_features_is_refused_with_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "old.npz"
    monkeypatch.setattr(module, "VERSION", "0")
    save_learned(policy(), path)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match=r"version 0.*train it again"):
        load_learned(path)


@pytest.mark.parametrize("content", [b"", b"not a policy", b"PK\x03\x04 cut off"])
def test_what_is_not_a_policy_is_named(tmp_path, content):
    path = tmp_path / "odd.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.npz is not a policy file"):
        load_learned(path)
    with pytest.raises(InputError, match="not a policy file"):
        load_learned(tmp_path / "absent.npz")


def test_pickled_content_is_not_read(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, weights=np.array([{"a": 1}], dtype=object), said="{}")
    with pytest.raises(InputError, match="not a policy file"):
        load_learned(path)


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    path = tmp_path / "nan.npz"
    broken = policy()
    broken.weights[3] = np.nan
    save_learned(broken, path)
    with pytest.raises(InputError, match="not numbers"):
        load_learned(path)


def test_the_policy_that_is_shipped_can_be_loaded_and_says_what_it_was_trained_on():
    shipped = learned_named("learned:default")
    assert shipped.algo == "search"
    assert "HPC2N" in shipped.trained_on
    assert shipped.validation["ratio"] < 1.0
