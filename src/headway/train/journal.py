"""A training run on disk, so that one that was stopped goes on as if it had not been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.archive import read_archive, write_archive
from headway.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]
Curve = list[tuple[int, float]]


def keep(path: Path | None, seed: int, curve: Curve, arrays: Arrays) -> None:
    """Write where a run stands, whole or not at all; None = nowhere."""
    if path is None:
        return
    write_archive(path, {"seed": seed, "curve": np.array(curve), **arrays})


def resumed(path: Path | None, seed: int, names: set[str]) -> tuple[Arrays, Curve] | None:
    """Where a run of that seed stood, None if there is none.

    ConfigError if the file was written with another seed or by another algorithm (other names).
    """
    if path is None or not path.exists():
        return None
    arrays, _ = read_archive(path, "a stopped run: remove it", ("seed",))
    curve = [(int(at), float(value)) for at, value in arrays.pop("curve", [])]
    if arrays.pop("seed", -1) != seed or set(arrays) != names:
        raise ConfigError(f"{path.name} was written by another run: remove it, or take its seed")
    return arrays, curve


def tensors(*optimizers: Any) -> Arrays:
    """All that torch optimizers change: their parameters and moments."""
    found: Arrays = {}
    for i, optimizer in enumerate(optimizers):
        for j, parameter in enumerate(optimizer.param_groups[0]["params"]):
            state = optimizer.state[parameter]
            named = {"value": parameter, **{name: state[name] for name in sorted(state)}}
            found |= {f"{i}.{j}.{n}": v.detach().numpy().copy() for n, v in named.items()}
    return found


def put(arrays: Arrays, *optimizers: Any) -> None:
    """Give optimizers back what `tensors` took from them."""
    import torch

    for i, optimizer in enumerate(optimizers):
        for j, parameter in enumerate(optimizer.param_groups[0]["params"]):
            for name in ("value", "step", "exp_avg", "exp_avg_sq"):
                value = torch.from_numpy(np.array(arrays[f"{i}.{j}.{name}"]))
                if name == "value":
                    parameter.data.copy_(value)
                else:
                    optimizer.state[parameter][name] = value
