"""Lists of nodes and pods as arrays for the simulator, and samples of pods that fill a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headway.errors import ConfigError
from headway.schedule.fragmentation import GPUS, WHOLE, Nodes, Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.simulate.nodes import Placed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SHAPE = ["cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec"]


def nodes_of(table: pl.DataFrame) -> tuple[Nodes, list[str]]:
    """The nodes of a table (observe.pods.NODE), and the names of GPU models, one for each bit."""
    gpus = table["gpu"].to_numpy()
    if len(gpus) == 0 or gpus.max() > GPUS:
        raise ConfigError(f"gpu must be 0 to {GPUS} on one node or more, got {gpus.max(initial=0)}")
    if min(table["cpu_milli"].min(), table["memory_mib"].min()) < 1:  # type: ignore[type-var,operator]
        raise ConfigError("cpu_milli and memory_mib of a node must be positive")
    names = sorted(set(table.filter(pl.col("gpu") > 0)["model"].to_list()))
    if len(names) > 62:
        raise ConfigError(f"model must be one of at most 62 names, got {len(names)}")
    model = [
        1 << names.index(name) if many else 0
        for name, many in zip(table["model"].to_list(), gpus, strict=True)
    ]
    columns = [table[name].to_numpy() for name in ("cpu_milli", "memory_mib")]
    return Nodes(*(_ints(values) for values in (*columns, gpus, model))), names


def shapes_of(
    pods: pl.DataFrame, models: Sequence[str], known: pl.DataFrame | None = None
) -> tuple[Shapes, Ints]:
    """The shapes of all pods, and that of each pod (n,).

    How often each shape comes is counted in `known`, by default the pods themselves; a shape that
    is not in it has share 0.
    """
    both = pods if known is None else pl.concat([pods.select(SHAPE), known.select(SHAPE)])
    names = both.select(SHAPE).unique().sort(SHAPE).with_row_index("shape")
    shape = _ints(pods.join(names, on=SHAPE, how="left", maintain_order="left")["shape"])
    counted = (pods if known is None else known).join(names, on=SHAPE, how="left")["shape"]
    share = np.bincount(counted.to_numpy(), minlength=len(names)) / max(len(counted), 1)
    gpus, milli = _ints(names["num_gpu"]), _ints(names["gpu_milli"])
    if np.any((gpus > 0) & ((milli < 1) | (milli > WHOLE) | ((gpus > 1) & (milli < WHOLE)))):
        raise ConfigError(f"gpu_milli must be 1..{WHOLE} for one GPU and {WHOLE} for several")
    asked = np.stack([gpus, milli], axis=1)
    kinds, kind = np.unique(asked[gpus > 0], axis=0, return_inverse=True)
    kind_of = np.full(len(names), -1)
    kind_of[gpus > 0] = kind.ravel()
    bits = [_bits(spec, models) for spec in names["gpu_spec"].to_list()]
    shapes = Shapes(
        _ints(names["cpu_milli"]), _ints(names["memory_mib"]), gpus, np.where(gpus > 0, milli, 0),
        _ints(bits), share, _ints(kind_of), _ints(kinds[:, 0]), _ints(kinds[:, 1]),
    )  # fmt: skip
    return shapes, shape


def inflate(rng: np.random.Generator, shapes: Shapes, shape: Ints, gpus: int, load: float) -> Ints:
    """Shapes drawn from those of a list until they ask for `load` times so many GPUs.

    Source: Weng et al. (2023), section 6.1: Monte-Carlo workload inflation.
    """
    asked = shapes.gpus * shapes.gpu_milli
    mean = float(asked[shape].mean()) if len(shape) else 0.0
    if mean == 0.0 or load <= 0.0:
        raise ConfigError("inflate needs pods with GPUs and a positive load")
    wanted = load * gpus * WHOLE
    many = int(1.1 * wanted / mean) + 100
    drawn = rng.choice(shape, size=many)
    while (total := np.cumsum(asked[drawn]))[-1] < wanted:
        drawn = np.concatenate([drawn, rng.choice(shape, size=many)])
    return drawn[: int(np.searchsorted(total, wanted)) + 1]


def allocated(nodes: Nodes, shapes: Shapes, shape: Ints, placed: Placed) -> float:
    """The share of all GPUs that tasks were given, each counted once."""
    asked = (shapes.gpus * shapes.gpu_milli)[shape]
    return float(asked[placed.node >= 0].sum() / (nodes.gpus.sum() * WHOLE))


def _bits(spec: str, models: Sequence[str]) -> int:
    """The bits of the models that a pod may run on; a name that no node has is the 63rd bit."""
    return sum({1 << (models.index(n) if n in models else 62) for n in spec.split("|") if n})


def _ints(values: object) -> Ints:
    return np.array(values, np.int64)  # a copy: those of a table are read-only, another type
