from dataclasses import replace

import numpy as np
import pytest

from headway.archive import write_archive
from headway.errors import ConfigError, InputError
from headway.schedule import controller
from headway.schedule import learned as module
from headway.schedule.learned import Learned, learned_named, load_learned, save_learned
from headway.schedule.network import SIZE
from headway.schedule.objectives import OBJECTIVES


def policy(seed=0):
    return Learned(
        weights=np.random.default_rng(seed).normal(size=SIZE), algo="search", seed=seed,
        decisions=12, backfill="easy", trained_on="a trace", validation={"ratio": 0.9},
    )  # fmt: skip


def conditioned():
    """A policy for two objectives, the rows of which are 0 and 1."""
    return replace(
        policy(), objectives=("wait", "cost"), matrix=np.stack([np.zeros(SIZE), np.ones(SIZE)])
    )


def test_preferences_mix_rows_whatever_they_sum_to():
    one = conditioned()
    assert one.preferring({"cost": 2.0}).weights.tolist() == [1.0] * SIZE
    assert one.preferring({"wait": 9.0, "cost": 3.0}).weights.tolist() == [0.25] * SIZE
    assert one.preferring({"wait": 0.3, "cost": 0.1}).seed == one.seed


@pytest.mark.parametrize(
    ("prefer", "said"),
    [
        ({"speed": 1.0}, "'speed'; this policy takes wait, cost"),
        ({"wait": -1.0, "cost": 2.0}, "weights >= 0"),
        ({"wait": 0.0}, "one above 0"),
        ({"wait": np.nan}, "weights >= 0"),
    ],
)
def test_what_cannot_be_preferred_is_refused(prefer, said):
    with pytest.raises(ConfigError, match=said):
        conditioned().preferring(prefer)


def test_a_policy_without_preferences_takes_none():
    with pytest.raises(ConfigError, match="this policy takes none"):
        policy().preferring({"wait": 1.0})


def test_a_conditioned_policy_comes_back_as_it_was(tmp_path):
    save_learned(conditioned(), tmp_path / "policy.npz")
    back = learned_named(f"learned:{tmp_path / 'policy.npz'}", {"cost": 1.0})
    np.testing.assert_array_equal(back.matrix, conditioned().matrix)
    assert back.objectives == ("wait", "cost")
    assert back.weights.tolist() == [1.0] * SIZE


def test_rows_that_do_not_fit_their_objectives_are_refused(tmp_path):
    save_learned(replace(conditioned(), objectives=("wait",)), tmp_path / "policy.npz")
    with pytest.raises(ConfigError, match="train it again"):
        load_learned(tmp_path / "policy.npz")


def test_the_policy_for_preferences_that_is_shipped_takes_all_objectives():
    shipped = learned_named("learned:preferences")
    assert shipped.objectives == tuple(OBJECTIVES)
    np.testing.assert_allclose(
        shipped.preferring(dict.fromkeys(OBJECTIVES, 1.0)).weights, shipped.weights
    )


def test_a_controller_comes_back_and_that_of_another_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "policy.npz"
    numbers = np.random.default_rng(1).normal(size=controller.SIZE)
    save_learned(replace(policy(), controller=numbers), path)
    np.testing.assert_array_equal(load_learned(path).controller, numbers)
    monkeypatch.setattr(module, "CONTROLLER", "2")
    with pytest.raises(ConfigError, match=r"controller of version 1.*train it again"):
        load_learned(path)
    monkeypatch.undo()
    save_learned(replace(policy(), controller=numbers[:-1]), path)
    with pytest.raises(ConfigError, match="train it again"):
        load_learned(path)


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


@pytest.mark.parametrize("said", [{}, {"common": [], "kind": "multi-agent", "version": "1"}])
def test_a_policy_of_another_training_is_refused_as_that(tmp_path, said):
    write_archive(tmp_path / "p.npz", {"weights": np.zeros(3)}, said)
    with pytest.raises(ConfigError, match="orders no queue of one cluster: it is of another"):
        load_learned(tmp_path / "p.npz")
