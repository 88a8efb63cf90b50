"""Several clusters as a PettingZoo parallel environment: every cluster is an agent.

An episode is a span of what users submitted to all clusters, on empty machines. Of every task two
agents decide, one after the other: the one to which it was submitted says which cluster queues it,
then that one says when its turn comes. In a step one agent has something to decide; to the others
only action 0, nothing, is open. Time goes on by itself until the next task is submitted.

    observation  clusters     (c, FEATURES) float32, of the task that is decided on, zero where it
                              does not fit
                 task         (COMMON,) float32; units of both: `headway.schedule.routing`
                 is_mine      (1,) float32, 1 if this agent decides
                 action_mask  (1 + c + LANES,) int8, 1 = allowed
    action       0 nothing; 1..c the cluster that queues it; then the lane, see
                 `headway.schedule.routing_network`. One that is not allowed counts as keeping the
                 task, or as the middle lane
    reward       the same for all: what waiting cost under a standard less what it cost the team
                 until this moment, over what it costs under the standard in all; at the end of an
                 episode it sums to 1 less the ratio of the two (costs are bounded slowdowns without
                 their floor of 1)
    state        (c * FEATURES + COMMON,) float32, for a central critic

The standard is shortest expected wait with the same local rule. The same seed shows the same spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from headway.errors import ConfigError
from headway.schedule.compiled import compiled
from headway.schedule.routing import COMMON, FEATURES, FLOOR_S
from headway.schedule.routing_network import LANES, MIDDLE, router_of, static_routing
from headway.simulate.generated import generated
from headway.simulate.grid import Grid, advance, grid_of, send
from headway.simulate.grid_play import look, play, room_of, turn
from headway.simulate.merged import local_keys, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.simulate.batch import Course

    Observations = dict[str, dict[str, NDArray[Any]]]

PROCS: Final = (64, 128, 256)  # of the clusters, where none are given
JOBS: Final = 200  # that each of those gets
NOTHING: Final = 0  # the action of agents that are not asked
LEAST_COST: Final = 1.0


class ClustersEnv(ParallelEnv):  # type: ignore[misc]
    """Clusters that keep tasks or send them to each other, and order their queues."""

    metadata: dict[str, Any] = {"render_modes": [], "name": "headway_clusters_v0"}  # noqa: RUF012

    def __init__(
        self,
        courses: Sequence[Course] | None = None,
        span_s: float = np.inf,
        rule: str = "areaxt",
    ) -> None:
        """A cluster for each course (None = generated), spans begin with one of its windows;
        rule: of `merged.LOCAL_RULES`, which lanes move.
        """
        if courses is None:
            rng = np.random.default_rng(0)
            courses = [generated(rng, 1, procs, jobs=2 * JOBS, window=JOBS)[0] for procs in PROCS]
            span_s = min(float(course.jobs.submit_s[JOBS]) for course in courses)
        self._courses, self._span_s, self._rule = list(courses), span_s, rule
        self.possible_agents = [f"cluster_{c}" for c in range(len(courses))]
        self.agents: list[str] = []
        self._rng = np.random.default_rng(0)
        n = len(courses)
        endless = (-np.inf, np.inf)
        self._observed = spaces.Dict(
            {
                "clusters": spaces.Box(*endless, (n, len(FEATURES)), np.float32),
                "task": spaces.Box(*endless, (len(COMMON),), np.float32),
                "is_mine": spaces.Box(0.0, 1.0, (1,), np.float32),
                "action_mask": spaces.Box(0, 1, (1 + n + len(LANES),), np.int8),
            }
        )
        self._actions = spaces.Discrete(1 + n + len(LANES))
        self.state_space = spaces.Box(*endless, (n * len(FEATURES) + len(COMMON),), np.float32)

    def observation_space(self, agent: str) -> spaces.Dict:
        """What an agent sees, the same for all."""
        return self._observed

    def action_space(self, agent: str) -> spaces.Discrete:
        """What an agent may do, the same for all."""
        return self._actions

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, dict[str, Any]]]:
        """Begin the next span; with a seed, the first span of that seed."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        firsts = [int(self._rng.choice(course.windows)) for course in self._courses]
        part = merged(self._courses, firsts, self._span_s)
        self._keys = local_keys(self._rule, part.jobs)
        self._router = router = router_of(static_routing("shortest expected wait"))
        start_s, _ = play(part.jobs, part.home, part.total, self._keys, router)
        self._standard_s = start_s
        self._grid = grid_of(part.jobs, part.home, part.total)
        self._room = room_of(len(part.home), part.total)
        self._sent = -1  # to where the task that is asked for goes; -1 = not decided yet
        self._usual = max(cost_at(self._grid, start_s, np.inf), LEAST_COST)
        self._gained = 0.0
        self.agents = list(self.possible_agents)
        self._advance()
        return self._shown(), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        Observations, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:
        """Let the agent that is asked decide."""
        if not self.agents:
            raise ConfigError("an episode is over or has not begun: call reset before step")
        n, j = len(self.possible_agents), int(self._grid.arrived[0])
        asked = int(actions.get(self.possible_agents[self._asked()], NOTHING)) - 1
        if self._sent < 0:
            fits = 0 <= asked < n and bool(self._room.shown.is_allowed[asked])
            self._sent = asked if fits else int(self._grid.home[j])
        else:
            lane = asked - n if asked >= n else MIDDLE
            jobs, common = self._grid.jobs, self._room.shown.common
            key = turn(self._router, common, self._keys[j], jobs.submit_s[j], LANES[lane])
            send(self._grid, self._sent, key)
            self._sent = -1
            self._advance()
        gained = self._cost(self._standard_s) - self._cost(self._grid.machines.start_s[0])
        reward = (gained - self._gained) / self._usual
        self._gained = gained
        agents = list(self.agents)
        shown = self._shown()
        if self._is_over:
            self.agents = []
        return (
            shown,
            dict.fromkeys(agents, reward),
            dict.fromkeys(agents, self._is_over),
            dict.fromkeys(agents, False),
            {agent: {} for agent in agents},
        )

    def state(self) -> NDArray[np.float32]:
        """All clusters, and the task that is decided on, as one row."""
        shown = self._room.shown
        return np.concatenate([shown.x.ravel(), shown.common]).astype(np.float32)

    def _advance(self) -> None:
        """Go on until there is a task to decide on."""
        self._is_over = not advance(self._grid, self._router.gate)
        if not self._is_over:
            keys = self._keys[self._grid.arrived[0]]
            look(self._grid, keys, self._router, self._room.site, self._room.shown)

    def _cost(self, start_s: NDArray[np.float64]) -> float:
        return cost_at(self._grid, start_s, np.inf if self._is_over else self._grid.now_s[0])

    def _asked(self) -> int:
        """The agent that decides."""
        home = int(self._grid.home[min(self._grid.arrived[0], len(self._grid.home) - 1)])
        return home if self._sent < 0 else self._sent

    def _shown(self) -> Observations:
        n, shown = len(self.possible_agents), self._room.shown
        mine = np.zeros(1 + n + len(LANES), np.int8)
        if self._sent < 0:
            mine[1 : 1 + n] = shown.is_allowed
        else:
            mine[1 + n :] = 1
        none = np.zeros_like(mine)
        none[NOTHING] = 1
        found: Observations = {}
        for c, agent in enumerate(self.agents):
            is_mine = not self._is_over and c == self._asked()
            found[agent] = {
                "clusters": shown.x.astype(np.float32),
                "task": shown.common.astype(np.float32),
                "is_mine": np.array([is_mine], np.float32),
                "action_mask": (mine if is_mine else none).copy(),
            }
        return found


@compiled
def cost_at(grid: Grid, start_s: NDArray[np.float64], now_s: float) -> float:
    """What waiting cost until a moment: seconds waited over the runtime, summed over tasks."""
    jobs, total = grid.jobs, 0.0
    for j in range(len(start_s)):
        until_s = now_s if np.isnan(start_s[j]) else min(start_s[j], now_s)
        total += max(until_s - jobs.submit_s[j], 0.0) / max(jobs.runtime_s[j], FLOOR_S)
    return total
