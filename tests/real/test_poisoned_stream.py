"""A flood of outcomes at a server: too long for the fast tests."""

from tests.serve.test_learner import flood


def test_ten_thousand_absurd_outcomes_of_one_user_leave_the_sizes_of_others(tmp_path):
    flood(tmp_path, 10_000)
