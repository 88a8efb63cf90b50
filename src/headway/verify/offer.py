"""Is the policy that Headway ships worth more on a history than the order that was chosen for it?

It is offered only if it is proved: replayed on the time after that which plans are chosen on, its
mean bounded slowdown is below the chosen plan's over a whole 95 % interval of weeks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from headway.schedule.learned import BACKFILL_LEVEL, PREFIX, learned_named
from headway.simulate.play import simulate_network
from headway.verify import recommend
from headway.verify.proof import prove

if TYPE_CHECKING:
    from headway.records import Estimate
    from headway.simulate.workload import Workload
    from headway.verify.recommend import Judged

POLICY: Final = f"{PREFIX}default"


def offer(
    workload: Workload, estimate: Estimate, chosen: Judged, first_come: Judged
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The shipped policy's line in a comparison, and its proof (`verify.proof.prove`) against the
    chosen plan: {policy, rule, tasks, candidate, incumbent, .., is_proved}.
    """
    start_s = simulate_network(
        workload, learned_named(POLICY).network, recommend.value_of(workload, estimate),
        workload.requested_s,
        backfill_s=recommend.quantile_of(workload, estimate, BACKFILL_LEVEL),
    )  # fmt: skip
    late = ~recommend.is_early(workload)
    said = prove(workload, start_s, chosen.start_s, first_come.start_s, late)
    rule = f"{chosen.plan.policy}, {chosen.plan.runtimes} runtimes"
    row = recommend.row_of(workload, POLICY, "predicted", start_s)
    return row, {"policy": POLICY, "rule": rule, **said}
