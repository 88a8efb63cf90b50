"""Every destination tried from the same moment."""

import numpy as np
from tests.simulate.merges import window

from headway.schedule.routing_network import router_of, static_routing
from headway.simulate.grid_play import play
from headway.simulate.merged import local_keys
from headway.simulate.rollouts import weigh


def weighed(part, router, chosen, ahead):
    return weigh(
        part.jobs, part.home, part.total, local_keys("saf", part.jobs), router,
        part.jobs.runtime_s, np.array(chosen), ahead,
    )  # fmt: skip


def test_the_destination_that_the_policy_takes_costs_what_the_whole_window_does():
    part = window(1)
    router = router_of(static_routing("shortest expected wait", offers=True))
    start_s, _ = play(part.jobs, part.home, part.total, local_keys("saf", part.jobs), router)
    slowdown = (start_s - part.jobs.submit_s) / np.maximum(part.jobs.runtime_s, 10.0)
    found = weighed(part, router, [10, 200, 400], len(start_s))
    assert found.cost.shape == found.is_allowed.shape == (3, 2)
    nearest = np.abs(found.cost / slowdown.sum() - 1.0).min(axis=1)
    np.testing.assert_allclose(nearest, 0.0, atol=1e-9)
    assert (found.cost.max(axis=1) > found.cost.min(axis=1)).any()


def test_what_comes_later_than_is_played_costs_nothing():
    part = window(2)
    router = router_of(static_routing("keep local"))
    (one,) = weighed(part, router, [0], 1).cost
    assert (one == 0.0).all()  # the first task starts wherever it goes
    few, more = (weighed(part, router, [100], ahead).cost for ahead in (20, 200))
    assert (few[few > 0.0] <= more[few > 0.0]).all()
