"""Workflows made up for tests."""

import numpy as np

from headway.observe.workflows import Workflow


def waves(fresh, first=None, rest=None):
    parts = (fresh, first if first is not None else fresh, rest if rest is not None else fresh)
    return tuple(np.array([x]) for x in parts)


def chain(*stages, name="chain"):
    """Stages one after the other; (tasks, seconds) each, as long with any executors."""
    edges = [[i, i + 1] for i in range(len(stages) - 1)]
    return Workflow(
        name, np.array([tasks for tasks, _ in stages]), np.array(edges, int).reshape(-1, 2),
        tuple({5: waves(seconds)} for _, seconds in stages),
    )  # fmt: skip


def drawn(rng):
    """A random graph of stages whose durations depend on the wave and on the executors."""
    s = int(rng.integers(1, 6))
    edges = [[i, j] for j in range(s) for i in range(j) if rng.random() < 0.5]
    durations = tuple(
        {e: tuple(rng.uniform(0.1, 9.0, 3) for _ in range(3)) for e in (5, 10)} for _ in range(s)
    )
    return Workflow("drawn", rng.integers(1, 30, s), np.array(edges, int).reshape(-1, 2), durations)
