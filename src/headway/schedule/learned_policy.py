"""A learned order with EASY backfilling as a Policy: which tasks of a live cluster start now."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.compiled import compiled
from headway.schedule.controller import CONTROL_S, actions_of, controller_of, order_of
from headway.schedule.learned import BACKFILL_LEVEL
from headway.schedule.network import FIRST, Network, best_of, network_of
from headway.schedule.observation import COMMON, FEATURES, View, view_of
from headway.schedule.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Preferences
    from headway.records import ClusterState, Decision
    from headway.schedule.learned import Learned

    Floats = NDArray[np.float64]

LONGEST_WAIT_S: Final = 86400.0
WIDE, MANY = len(FEATURES), len(COMMON)


class LearnedPolicy:
    """Orders the queue by a learned score on predicted runtimes, with EASY backfilling.

    Room is reserved by requests; a task may jump ahead if the quantile of its prediction that the
    policy was trained with ends before the reservation. A task that has waited longer than
    longest_wait_s goes before all that have not, in order of arrival: no task is left for ever.
    Memory is allocated at the predicted quantile nearest to coverage. Where a controller moves the
    weights, they are set anew at each decision, from what waits and runs then; what arrived since
    CONTROL_S and has ended already is not seen.
    """

    def __init__(
        self,
        learned: Learned,
        coverage: float = 0.95,
        longest_wait_s: float = LONGEST_WAIT_S,
        ended: Callable[[], tuple[float, float]] | None = None,
    ) -> None:
        """Take a policy that was loaded (see schedule.learned).

        ended: the last two of controller.STATE, the errors of predictions of tasks that ended
        lately, which the state of a cluster does not tell; a policy with a controller needs it.
        """
        if not 0.0 < coverage < 1.0:
            raise ConfigError(f"coverage must be in (0, 1), got {coverage}")
        if not longest_wait_s > 0.0:
            raise ConfigError(f"longest_wait_s must be more than 0, got {longest_wait_s}")
        if len(learned.controller) and ended is None:
            raise ConfigError(
                f"{learned.algo} moves its weights by the errors of predictions of tasks that "
                "ended: give it what tells them as `ended`"
            )
        self._ended = ended
        self._learned, self._coverage = learned, coverage
        self._longest_wait_s = longest_wait_s
        self._made_by = f"learned {learned.algo} seed {learned.seed}"

    def decide(self, state: ClusterState, preferences: Preferences) -> Sequence[Decision]:
        """Starts, in the order in which they should be carried out.

        Preferences count for a policy that was trained for them: ConfigError for one that it does
        not take.
        """
        queue = Waiting(state, BACKFILL_LEVEL, self._coverage)
        submitted_s = np.array([task.submitted_s for task in state.queued])
        network = self._network(preferences)
        if self._ended is not None and len(self._learned.controller) and state.queued:
            network = self._steered(queue, submitted_s, self._ended())
        left = list(np.argsort(submitted_s, kind="stable"))
        started: list[int] = []
        while left and any(queue.fits(row) for row in left):
            head = self._head(network, queue, left, submitted_s)
            left.remove(head)
            if not queue.fits(head):
                started += self._backfill(network, queue, left, submitted_s, head)
                break
            started.append(queue.start(head))
        return [queue.decision(row, self._made_by) for row in started]

    def _network(self, preferences: Preferences) -> Network:
        """What scores under some preferences."""
        learned = self._learned
        if learned.objectives:
            learned = learned.preferring({k: v for k, v in asdict(preferences).items() if v})
        return learned.network

    def _steered(self, queue: Waiting, submitted_s: Floats, errors: tuple[float, float]) -> Network:
        """What scores at this moment; the queue trusts predictions as far as it says."""
        state, ends, rows = queue.state, sorted(queue.ends), np.arange(len(submitted_s))
        view = _view(queue, rows, submitted_s, ends)
        arrived, work_s = queue.arrived(state.at_s - CONTROL_S)
        offered = work_s / (state.total_cpus * CONTROL_S)
        recent = (float(np.log1p(arrived) / 5.0), float(np.log1p(offered)), *errors)
        actions = actions_of(
            controller_of(self._learned.controller), view, len(rows), len(ends),
            int(queue.free_cpus), int(state.total_cpus), state.at_s, queue.overdue(), recent,
        )  # fmt: skip
        queue.trust(actions[-1])
        return network_of(order_of(actions))

    def _head(self, network: Network, queue: Waiting, left: list[int], submitted_s: Floats) -> int:
        """The task that goes next: the oldest that has waited too long, else the best."""
        if queue.state.at_s - submitted_s[left[0]] > self._longest_wait_s:
            return left[0]
        may = np.ones(len(left), np.bool_)
        return left[_best(network, queue, left, submitted_s, -1.0, may)]

    def _backfill(
        self, network: Network, queue: Waiting, left: list[int], submitted_s: Floats, head: int
    ) -> list[int]:
        """Those that start now without delaying the head, the best first."""
        at_s, spare = queue.reservation(head)
        started: list[int] = []
        while True:
            may = np.array([queue.may_go_before(row, at_s, spare) for row in left], np.bool_)
            if not may.any():
                return started
            row = left.pop(_best(network, queue, left, submitted_s, at_s, may))
            spare -= 0 if queue.ends_by(row, at_s) else queue.cpus[row]
            started.append(queue.start(row))


def _best(
    network: Network, queue: Waiting, left: list[int], submitted_s: Floats, reserved_s: float,
    is_allowed: NDArray[np.bool_],
) -> int:  # fmt: skip
    """The place in `left` of the highest score among those that are allowed."""
    rows, state = np.array(left), queue.state
    ends = sorted(queue.ends)
    view = _view(queue, rows, submitted_s, ends)
    return _pick(
        network, view, is_allowed, len(rows), len(ends), int(queue.free_cpus),
        int(state.total_cpus), state.at_s, reserved_s,
    )  # fmt: skip


def _view(
    queue: Waiting, rows: NDArray[np.int64], submitted_s: Floats, ends: list[tuple[float, int, str]]
) -> View:
    """What the network looks at: the tasks of some rows, and what runs."""
    names = [queue.state.queued[row].user for row in rows] + [user for _, _, user in ends]
    codes = {name: code for code, name in enumerate(sorted({name for name in names if name}))}
    user = np.array([codes.get(name, -1) if name else -1 for name in names], np.int64)
    view = view_of(len(rows), len(ends), len(codes))
    median_s = np.maximum(queue.median_s[rows], 1.0)
    view.log_runtime[:] = np.log(median_s)
    view.log_spread[:] = np.log(np.maximum(queue.upper_s[rows], 1.0) / median_s)
    view.log_request[:] = np.log(np.maximum(queue.asked_s[rows], 1.0))
    view.log_procs[:] = np.log(queue.cpus[rows])
    view.procs[:] = queue.cpus[rows]
    view.submit_s[:] = submitted_s[rows]
    view.upper_s[:] = queue.backfill_s[rows]
    view.user[:] = user[: len(rows)]
    view.end_s[:] = [end_s for end_s, _, _ in ends]
    view.end_procs[:] = [cpus for _, cpus, _ in ends]
    view.end_user[:] = user[len(rows) :]
    return view


@compiled
def _pick(
    network: Network, view: View, is_allowed: NDArray[np.bool_], k: int, m: int, free: int,
    total: int, now_s: float, reserved_s: float,
) -> int:  # fmt: skip
    common, x, room = np.empty(MANY), np.empty(WIDE), np.empty((3, FIRST))
    return best_of(network, view, is_allowed, k, m, free, total, now_s, reserved_s, common, x, room)
