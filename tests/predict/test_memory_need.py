"""Which memory suffices, from limits that were enough and limits that were not."""

import numpy as np

from headway.predict.memory_need import chance_of_too_little

LIMITS = np.array([8.0, 9.0, 10.0, 11.0])


def asked(memory, failed, size=None, size_new=0.0):
    size = np.zeros(len(memory)) if size is None else np.array(size)
    return chance_of_too_little(
        np.array(memory, float), size, np.array(failed, float), LIMITS, size_new
    )


def test_more_memory_never_fails_more():
    chance = asked([8.0], [1.0])
    assert (np.diff(chance) <= 0).all()


def test_what_failed_fails_and_what_was_enough_is_enough():
    chance = asked([8.0, 9.0, 10.0], [1.0, 1.0, 0.0])
    assert (chance[:2] > 0.85).all()
    assert (chance[2:] < 0.15).all()


def test_a_larger_input_may_need_more():
    same = asked([8.0, 9.0], [1.0, 0.0], [0.0, 0.0])
    larger = asked([8.0, 9.0], [1.0, 0.0], [0.0, 0.0], size_new=2.0)
    assert larger[1] > same[1] + 0.2


def test_the_power_of_the_size_is_learned():
    """Twice the input needed one doubling more; so will the next."""
    memory = [8.0, 9.0, 9.0, 10.0]
    chance = asked(memory, [1, 0, 1, 0], [0.0, 0.0, 1.0, 1.0], size_new=2.0)
    assert chance[2] > 0.5
    assert chance[3] < 0.3
