"""A queue as a Gymnasium environment: one decision a step, `headway/Queue-v0`.

An episode is a window of consecutive tasks on an empty machine. A step chooses the slot of a
waiting task; time goes on by itself until there is something to choose again.

    observation  tasks   (VISIBLE, FEATURES) float32, zero where a slot holds no task
                 common  (COMMON,) float32
                 units of both: `headway.schedule.observation`
    action       the slot, in [0, VISIBLE); `action_masks()` says which may be chosen, always the
                 first ones; any other counts as slot 0, the one that has waited longest
    reward       minus what waiting cost until the next decision; a whole episode sums to about -1
                 under smallest area first (`headway.simulate.batch`)

The same seed shows the same windows. At the end of an episode an observation is all zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import gymnasium
import numpy as np
from gymnasium import spaces

from headway.errors import ConfigError
from headway.schedule.observation import COMMON, FEATURES
from headway.simulate.batch import VISIBLE, Batch
from headway.simulate.episode import COMMIT, EASY, RESERVE
from headway.simulate.generated import generated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.simulate.batch import Course

    Observation = dict[str, NDArray[np.float32]]

BACKFILLS: Final = {"easy": EASY, "reserve": RESERVE, "none": COMMIT}
"""Kinds of backfilling: textbook, RLScheduler's, and none (a choice that does not fit blocks)."""
ID: Final = "headway/Queue-v0"


def observation_space() -> spaces.Dict:
    """What one simulation shows."""
    tasks = spaces.Box(-np.inf, np.inf, (VISIBLE, len(FEATURES)), np.float32)
    return spaces.Dict(
        {"tasks": tasks, "common": spaces.Box(-np.inf, np.inf, (len(COMMON),), np.float32)}
    )


def nothing() -> Observation:
    """What is seen when an episode is over."""
    tasks = np.zeros((VISIBLE, len(FEATURES)), np.float32)
    return {"tasks": tasks, "common": np.zeros(len(COMMON), np.float32)}


def batch_of(
    courses: Sequence[Course] | None, n_envs: int, jobs: int, backfill: str, seed: int
) -> Batch:
    """N simulations of windows of `jobs` tasks; courses: None = generated workloads."""
    if backfill not in BACKFILLS:
        raise ConfigError(f"backfill must be one of {', '.join(BACKFILLS)}, got {backfill}")
    if courses is None:
        rng = np.random.default_rng(seed)
        courses = generated(rng, 4, 128, jobs=4 * jobs, window=jobs)
    return Batch(courses, n_envs, jobs, BACKFILLS[backfill], seed)


class QueueEnv(gymnasium.Env[dict[str, Any], np.int64]):
    """One simulation that asks which waiting task goes next."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)

    def __init__(
        self, courses: Sequence[Course] | None = None, jobs: int = 256, backfill: str = "easy"
    ) -> None:
        """Windows of `jobs` tasks of the courses (None = generated); backfill: of BACKFILLS."""
        self.observation_space = observation_space()
        self.action_space = spaces.Discrete(VISIBLE)
        self._courses, self._jobs, self._backfill = courses, jobs, backfill
        self._batch: Batch | None = None
        self._is_over = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin the next window; with a seed, the first window of that seed."""
        super().reset(seed=seed)
        if self._batch is None or seed is not None:
            seed = int(self.np_random.integers(2**31)) if seed is None else seed
            self._batch = batch_of(self._courses, 1, self._jobs, self._backfill, seed)
            self._batch.reset()
        elif not self._is_over:
            self._batch.reset()
        self._is_over = False
        return self._shown(), {}

    def step(self, action: int | np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Let the task in a slot go next."""
        if self._batch is None or self._is_over:
            raise ConfigError("an episode is over or has not begun: call reset before step")
        slot = int(action) if self._batch.seen.is_allowed[0, int(action)] else 0
        _, rewards, is_over = self._batch.step(np.array([slot]))
        self._is_over = bool(is_over[0])
        return self._shown(), float(rewards[0]), self._is_over, False, {}

    def action_masks(self) -> NDArray[np.bool_]:
        """Which slots (VISIBLE,) may be chosen."""
        if self._batch is None or self._is_over:
            return np.zeros(VISIBLE, np.bool_)
        return self._batch.seen.is_allowed[0].copy()

    def _shown(self) -> Observation:
        if self._batch is None or self._is_over:
            return nothing()
        seen = self._batch.seen
        return {"tasks": seen.x[0].astype(np.float32), "common": seen.common[0].astype(np.float32)}


if ID not in gymnasium.registry:
    gymnasium.register(id=ID, entry_point="headway.simulate.env:QueueEnv")
