"""Many simulations as a Stable-Baselines3 `VecEnv`: all of them step in one compiled call.

Observations, actions and rewards are those of `simulate.env`, with one row for each simulation;
sb3-contrib's MaskablePPO finds the masks by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from headway.simulate.batch import VISIBLE
from headway.simulate.env import batch_of, nothing, observation_space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.simulate.batch import Course

    Shown = dict[str, NDArray[np.float32]]


class QueueVecEnv(VecEnv):
    """N simulations; one that ends begins its next window at once, as SB3 expects."""

    render_mode = None

    def __init__(
        self,
        courses: Sequence[Course] | None = None,
        n_envs: int = 64,
        jobs: int = 256,
        backfill: str = "easy",
        seed: int = 0,
    ) -> None:
        """Windows of `jobs` tasks of the courses (None = generated)."""
        super().__init__(n_envs, observation_space(), spaces.Discrete(VISIBLE))
        self._batch = batch_of(courses, n_envs, jobs, backfill, seed)
        self._slots = np.zeros(n_envs, np.int64)
        self._totals, self._steps = np.zeros(n_envs), np.zeros(n_envs, np.int64)

    def reset(self) -> Shown:
        """Begin N windows."""
        self._batch.reset()
        self._totals[:], self._steps[:] = 0.0, 0
        return self._shown()

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keep what `step_wait` will do."""
        self._slots = np.asarray(actions, np.int64)

    def step_wait(self) -> tuple[Shown, Any, Any, list[dict[str, Any]]]:
        """Observations, rewards (N,), which ended (N,), and what their episodes came to."""
        rows = np.arange(self.num_envs)
        is_allowed = self._batch.seen.is_allowed[rows, self._slots]
        _, rewards, is_over = self._batch.step(np.where(is_allowed, self._slots, 0))
        self._totals += rewards
        self._steps += 1
        told: list[dict[str, Any]] = [{} for _ in rows]
        for i in np.flatnonzero(is_over):
            told[i]["episode"] = {"r": float(self._totals[i]), "l": int(self._steps[i]), "t": 0.0}
            told[i]["terminal_observation"] = nothing()
            self._totals[i], self._steps[i] = 0.0, 0
        return self._shown(), rewards.astype(np.float32), is_over, told

    def action_masks(self) -> NDArray[np.bool_]:
        """Which slots (N, VISIBLE) may be chosen."""
        return self._batch.seen.is_allowed.copy()

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same attribute for each of the simulations asked for."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the simulations share everything."""
        raise AttributeError(f"simulations of a batch have no {attr_name} of their own")

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        """The answers (N,) of a method that gives one row for each simulation."""
        answers = getattr(self, method_name)(*args, **kwargs)
        return [answers[i] for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No simulation is wrapped."""
        return [False for _ in self._get_indices(indices)]

    def _shown(self) -> Shown:
        seen = self._batch.seen
        return {"tasks": seen.x.astype(np.float32), "common": seen.common.astype(np.float32)}
