"""A split is sticky, fair and its own for every rollout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import ConfigError
from headway.rollout.split import CHALLENGER, arm_of, place_of, slot_arm

KEYS = [f"user{i}" for i in range(20_000)]


@given(st.text(), st.text(), st.floats(0, 1), st.floats(0, 1))
def test_raising_the_share_moves_nobody_back(rollout_id, key, a, b):
    low, high = sorted((a, b))
    if arm_of(rollout_id, key, low)[0] == CHALLENGER:
        assert arm_of(rollout_id, key, high)[0] == CHALLENGER


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
def test_a_share_of_keys_is_the_share_asked_for(share):
    got = sum(arm_of("r", key, share)[0] == CHALLENGER for key in KEYS) / len(KEYS)
    # Four standard errors of a binomial share.
    assert got == pytest.approx(share, abs=4 * (share * (1 - share) / len(KEYS)) ** 0.5)


def test_two_rollouts_split_independently_of_each_other():
    both = sum(place_of("a", key) < 0.5 and place_of("b", key) < 0.5 for key in KEYS) / len(KEYS)
    assert both == pytest.approx(0.25, abs=0.0125)


def test_propensities_are_those_of_the_arm_given():
    for key in KEYS[:100]:
        arm, propensity = arm_of("r", key, 0.2)
        assert propensity == (0.2 if arm == CHALLENGER else 0.8)


def test_a_slot_has_one_arm_and_its_beginning_is_not_scored():
    arms = {slot_arm("r", 7200.0 + s, 3600.0, 0.5)[0] for s in range(0, 3600, 100)}
    assert len(arms) == 1
    assert [slot_arm("r", 7200.0 + s, 3600.0, 0.5)[2] for s in (0, 899, 900, 3599)] == [
        False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ConfigError, match="share"):
        arm_of("r", "k", share)
