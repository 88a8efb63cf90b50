import numpy as np
import pytest
from tests.predict.made_up import taught

from headway.errors import ConfigError
from headway.features import NAMES
from headway.predict import load, predictor_for, save
from headway.predict.members import EXTRAS, extra_members

X, Y = taught()
FREE = np.zeros(len(Y), dtype=bool)


@pytest.mark.parametrize("target", ["runtime_s", "memory_bytes"])
def test_a_predictor_with_every_member_is_saved_and_goes_on_alike(target):
    predictor = predictor_for(target, NAMES, extras=EXTRAS)
    predictor.learn(X.take(slice(0, 260)), Y[:260], FREE[:260])
    other = load(save(predictor))
    rows = slice(260, 400)
    for one in (predictor, other):
        one.learn(X.take(rows), Y[rows], FREE[rows])
    expected, answer = predictor.predict(X), other.predict(X)
    np.testing.assert_array_equal(expected.quantiles, answer.quantiles)
    np.testing.assert_array_equal(expected.made_by, answer.made_by)


def test_members_come_in_one_order_whatever_was_asked():
    for is_memory in (False, True):
        made = extra_members(["gaussian", "stream", "online"], NAMES, is_memory=is_memory)
        assert [name for name, _ in made] == ["stream", "online", "gaussian"]


def test_all_members_give_the_same_levels():
    made = extra_members(EXTRAS, NAMES, is_memory=False)
    assert len({tuple(member.levels) for _, member in made}) == 1


def test_no_member_of_runtimes_looks_at_what_is_known_of_memory():
    made = extra_members(["xgboosted", "neural"], NAMES, is_memory=False)
    for _, member in made:
        assert not [name for name in member._window.columns if ".memory_" in name]


def test_a_member_that_nobody_knows_is_named():
    with pytest.raises(ConfigError, match="oracle"):
        extra_members(["oracle"], NAMES, is_memory=True)


def test_a_member_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setattr("headway.predict.members.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"headway\[networks\]"):
        extra_members(["neural"], NAMES, is_memory=True)


def test_a_risk_has_no_members():
    with pytest.raises(ConfigError, match="failure"):
        predictor_for("failure", NAMES, extras=["online"])
