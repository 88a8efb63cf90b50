"""Small clusters and pods for tests, by hand and by hypothesis."""

import numpy as np
from hypothesis import strategies as st

from headway.schedule.fragmentation import Nodes, Shapes


def nodes_with(rows):
    """Nodes of rows (cpu_milli, memory_mib, gpus, model)."""
    return Nodes(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def shapes_with(rows, share=None):
    """Shapes of rows (cpu_milli, memory_mib, gpus, gpu_milli, models), equally often by default."""
    cpu, memory, gpus, milli, models = (np.array(c, np.int64) for c in zip(*rows, strict=True))
    asked = sorted({(g, m) for g, m in zip(gpus, milli, strict=True) if g > 0})
    kind = [asked.index((g, m)) if g > 0 else -1 for g, m in zip(gpus, milli, strict=True)]
    kinds = np.array(asked, np.int64).reshape(-1, 2)
    share = np.full(len(gpus), 1.0 / len(gpus)) if share is None else np.array(share)
    return Shapes(
        cpu, memory, gpus, milli, models, share, np.array(kind, np.int64),
        kinds[:, 0].copy(), kinds[:, 1].copy(),
    )  # fmt: skip


@st.composite
def clusters(draw):
    """(nodes, shapes, shape (n,)) of a few nodes and up to 40 pods."""
    node = st.tuples(
        st.integers(1, 16).map(lambda v: 1000 * v), st.integers(1, 64), st.integers(0, 8),
        st.sampled_from([1, 2]),
    )  # fmt: skip
    rows = draw(st.lists(node, min_size=1, max_size=5))
    rows = [(cpu, memory, gpus, model if gpus else 0) for cpu, memory, gpus, model in rows]
    gpu = st.one_of(
        st.just((0, 0)),
        st.sampled_from([100, 300, 460, 500, 810]).map(lambda milli: (1, milli)),
        st.sampled_from([1, 2, 4, 8]).map(lambda gpus: (gpus, 1000)),
    )
    shape = st.tuples(
        st.integers(0, 8).map(lambda v: 500 * v),
        st.integers(0, 16),
        gpu,
        st.sampled_from([0, 1, 3]),
    ).map(lambda v: (v[0], v[1], *v[2], v[3] if v[2][0] else 0))
    shapes = draw(st.lists(shape, min_size=1, max_size=6, unique=True))
    order = draw(st.lists(st.integers(0, len(shapes) - 1), max_size=40))
    return nodes_with(rows), shapes_with(shapes), np.array(order, np.int64)
