import math

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.schedule.rules import RULES, keys_of, order_by, rule_named

R, N, S, W = 100.0, 8, 1000.0, 50.0
BY_HAND = {
    "fcfs": S,
    "sjf": R,
    "saf": R * N,
    "areaxt": R * N * R,
    "f1": math.log10(R) * N + 870 * math.log10(S),
    "f2": math.sqrt(R) * N + 25600 * math.log10(S),
    "f3": R * N + 6860000 * math.log10(S),
    "f4": R * math.sqrt(N) + 530000 * math.log10(S),
    "wfp3": -((W / R) ** 3) * N,
    "unicep": -W / (math.log2(N) * R),
    "wfp3-published": -(((-1 - S) / R) ** 3) * N,
    "unicep-published": -(-1 - S) / (math.log2(N) * R),
}


@pytest.mark.parametrize("name", list(RULES))
def test_a_key_is_what_the_formula_says(name):
    row = (np.array([R]), np.array([N]), np.array([S]), np.array([W]))
    assert keys_of(RULES[name].number, *row)[0] == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", list(RULES))
def test_only_a_rule_that_is_not_static_looks_at_the_wait(name):
    row = (np.array([R]), np.array([N]), np.array([S]))
    keys = [keys_of(RULES[name].number, *row, np.array([w]))[0] for w in (0.0, 50.0, 500.0)]
    assert (len(set(keys)) == 1) == RULES[name].is_static


def test_every_rule_is_finite_for_a_first_task_on_one_processor():
    for rule in RULES.values():
        order = order_by(rule, np.array([1.0]), np.array([1]), np.array([0.0]))
        assert np.isfinite(order.key).all(), rule.name


def test_an_unknown_rule_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"fcfs, sjf, .* or all, got lifo"):
        rule_named("lifo")
