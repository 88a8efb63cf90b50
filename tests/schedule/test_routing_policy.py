import numpy as np
import pytest

from headway.errors import ConfigError, InputError
from headway.schedule import routing_policy
from headway.schedule.learned import DEFAULT, load_learned
from headway.schedule.routing_network import SIZE, static_routing
from headway.schedule.routing_policy import RoutingPolicy, load_routing, save_routing


def policy(**settings):
    known = {
        "weights": np.random.default_rng(0).normal(size=SIZE), "rule": "saf",
        "routing": "least load", "seed": 3, "decisions": 10, "trained_on": "a, b",
    }  # fmt: skip
    return RoutingPolicy(**known | settings)


def test_what_is_saved_is_read_again(tmp_path):
    save_routing(policy(), tmp_path / "p.npz")
    again = load_routing(tmp_path / "p.npz")
    np.testing.assert_array_equal(again.weights, policy().weights)
    assert (again.rule, again.routing, again.seed) == ("saf", "least load", 3)


def test_the_same_policy_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_routing(policy(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_of_other_features_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(routing_policy, "VERSION", "0")
    save_routing(policy(), tmp_path / "p.npz")
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="features of version 0, this is version"):
        load_routing(tmp_path / "p.npz")


def test_a_policy_of_another_kind_is_refused_both_ways(tmp_path):
    with pytest.raises(ConfigError, match="not a policy for several clusters"):
        load_routing(DEFAULT)
    save_routing(policy(), tmp_path / "p.npz")
    with pytest.raises(ConfigError, match="orders no queue of one cluster"):
        load_learned(tmp_path / "p.npz")


def test_what_is_no_policy_is_refused(tmp_path):
    (tmp_path / "p.npz").write_text("no")
    with pytest.raises(InputError, match="not a policy file"):
        load_routing(tmp_path / "p.npz")
    weights = static_routing("keep local")
    weights[0] = np.nan
    save_routing(policy(weights=weights), tmp_path / "q.npz")
    with pytest.raises(InputError, match="not numbers"):
        load_routing(tmp_path / "q.npz")
