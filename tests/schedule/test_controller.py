import numpy as np
import pytest

from headway.schedule.controller import (
    ACTIONS,
    HIDDEN,
    REACH,
    SIZE,
    STATE,
    act,
    constant,
    controller_of,
    smallest_area,
)
from headway.schedule.network import flat


def answer(numbers, state):
    actions = np.empty(len(ACTIONS))
    act(controller_of(numbers), state, np.empty(HIDDEN), actions)
    return actions


def drawn(seed=0):
    """A controller that looks at everything."""
    numbers = np.random.default_rng(seed).normal(size=SIZE)
    return flat(controller_of(numbers)._replace(deviation=np.full(len(STATE), 2.0)))


def test_a_constant_controller_answers_the_same_to_everything():
    actions = np.arange(float(len(ACTIONS)))
    for seed in range(3):
        state = np.random.default_rng(seed).normal(size=len(STATE))
        np.testing.assert_array_equal(answer(constant(actions), state), actions)


def test_the_answer_is_the_documented_one():
    state, numbers = np.random.default_rng(1).normal(size=len(STATE)), drawn()
    part = controller_of(numbers)
    hidden = np.tanh((state - part.mean) / part.deviation @ part.first + part.first_bias)
    np.testing.assert_allclose(
        answer(numbers, state), part.centre + REACH * (hidden @ part.last), rtol=1e-12
    )


def test_a_state_never_seen_counts_no_more_than_five_deviations():
    numbers = drawn()
    part = controller_of(numbers)
    far, edge = part.mean + 1e9, part.mean + 5.0 * part.deviation
    np.testing.assert_allclose(answer(numbers, far), answer(numbers, edge))


def test_the_first_priority_is_a_rule_that_trusts_the_usual_quantile():
    named = dict(zip(ACTIONS, smallest_area(), strict=True))
    assert {name for name, value in named.items() if value} == {
        "log_runtime",
        "log_procs",
        "safety",
    }
    assert named["safety"] == 1.0


def test_a_flat_array_comes_back():
    numbers = drawn(3)
    assert len(numbers) == SIZE
    np.testing.assert_array_equal(flat(controller_of(numbers)), numbers)


@pytest.mark.parametrize("name", ["safety", "log_wait"])
def test_what_is_moved_is_named(name):
    assert name in ACTIONS
    assert len(REACH) == len(ACTIONS)
