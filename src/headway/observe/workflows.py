"""Kinds of workflows: stages of alike tasks, what waits for what, and durations that were seen.

read_tpch           the TPC-H queries on Spark that Decima was trained on
workflow_of_tasks   one executed workflow of any reader that knows its tasks' parents
"""

from __future__ import annotations

import io
import pickle
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Waves = tuple[Floats, Floats, Floats]  # of an executor new to the job, to the stage, to neither

WARM_UP_S: Final = 1.0
"""What an executor that is new to a job takes longer where no such task was seen, as in Decima."""
SEEN_WITH: Final = (5, 10, 20, 40, 50, 60, 80, 100)
"""Executors with which every query ran; a stage of fewer tasks is known up to those."""
_ALLOWED: Final = {
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"), ("numpy", "dtype"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Workflow:
    """A kind of workflow of s stages, parents before children.

    tasks (s,) how many alike tasks; edges (e, 2) parent and child; durations_s (s of) by how many
    executors the job had, each the durations of three waves (see Waves), none of them empty.
    """

    name: str
    tasks: Ints
    edges: Ints
    durations_s: tuple[Mapping[int, Waves], ...]


def read_tpch(path: Path) -> list[Workflow]:
    """Every query of the archive or of the folder that it becomes, named "size query" ("100g 21").

    Its files hold pickled dictionaries of numbers; anything else in them is refused.
    Source: Mao et al. (2019), "Learning scheduling algorithms for data processing clusters".
    """
    try:
        files = _files(path)
        graphs = [name for name in files if "adj_mat_" in name]
        if not graphs:
            raise ValueError("no adj_mat_*.npy in it")
        return [_query(files, name) for name in sorted(graphs, key=_size_and_number)]
    except (OSError, KeyError, ValueError, tarfile.TarError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not Decima's archive of TPC-H queries: {error}") from error


def is_tpch(path: Path) -> bool:
    """Whether a path is such an archive or folder, by its first arrays."""
    if path.is_dir():
        return next(path.glob("**/adj_mat_*.npy"), None) is not None
    return path.is_file() and tarfile.is_tarfile(path)


def _files(path: Path) -> dict[str, bytes]:
    """The arrays of an archive or a folder by their paths."""
    if path.is_dir():
        return {str(file): file.read_bytes() for file in path.glob("**/*.npy")}
    with tarfile.open(path) as archive:
        members = [m for m in archive if m.isfile() and m.name.endswith(".npy")]
        opened = [(m.name, archive.extractfile(m)) for m in members]
        return {name: file.read() for name, file in opened if file is not None}


def _size_and_number(name: str) -> tuple[int, int]:
    size, file = name.split("/")[-2:]
    return int(size.removesuffix("g")), int(file.removesuffix(".npy").split("_")[-1])


def _query(files: Mapping[str, bytes], name: str) -> Workflow:
    graph = _array(files[name])
    seen = _array(files[name.replace("adj_mat", "task_duration")]).item()
    size, number = _size_and_number(name)
    edges = np.argwhere(graph > 0.0)
    if np.any(edges[:, 0] >= edges[:, 1]) or len(seen) != len(graph):
        raise ValueError(f"{name}: stages are not in order")
    stages = [seen[stage] for stage in range(len(graph))]
    tasks = [len(s["first_wave"][SEEN_WITH[0]]) + len(s["rest_wave"][SEEN_WITH[0]]) for s in stages]
    return Workflow(f"{size}g {number}", np.array(tasks), edges, tuple(map(_waves, stages)))


def _waves(stage: Mapping[str, Mapping[int, list[int]]]) -> dict[int, Waves]:
    """Durations (s) of a stage; an empty first wave takes the one of fewer executors.

    Tasks of fresh executors stand in the first wave too, from which they are taken.
    """
    found, before = {}, np.zeros(0)
    for executors in SEEN_WITH:
        key = min(executors, max(stage["first_wave"]))
        fresh, rest = (np.array(stage[wave][key], float) / 1000.0
                       for wave in ("fresh_durations", "rest_wave"))  # fmt: skip
        left = list(stage["first_wave"][key])
        for duration in stage["fresh_durations"][key]:
            if duration in left:
                left.remove(duration)
        first = np.array(left, float) / 1000.0 if left else before
        before = first
        fresh = fresh if len(fresh) else first + WARM_UP_S
        first = first if len(first) else fresh
        found[executors] = (fresh, first, rest if len(rest) else first)
    return found


class _Numbers(pickle.Unpickler):
    """Reads dictionaries, lists and numbers; refuses whatever could run."""

    def find_class(self, module: str, name: str) -> Any:
        """The names that an array of objects is made of."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no number")
        owner: Any = np if module == "numpy" else np._core.multiarray  # type: ignore[attr-defined]
        return getattr(owner, name)


def _array(content: bytes) -> NDArray[Any]:
    file = io.BytesIO(content)
    np.lib.format.read_magic(file)
    _, _, kind = np.lib.format.read_array_header_1_0(file)
    if kind.hasobject:
        return np.asarray(_Numbers(file).load())
    file.seek(0)
    return np.asarray(np.load(file, allow_pickle=False))


def workflow_of_tasks(name: str, tasks: pl.DataFrame) -> Workflow:
    """The kind of one executed workflow: tasks of one name and depth are a stage.

    tasks: rows of a reader, with parents and times. A stage waits for all tasks of those before it,
    which is a little more than each of its tasks has to; durations do not depend on executors.
    """
    rows = tasks.filter(pl.col("ended_s").is_not_null()).select(
        "id", "name", "parents", duration_s=pl.col("ended_s") - pl.col("started_s")
    )
    parents = {row["id"]: row["parents"] or [] for row in rows.iter_rows(named=True)}
    depth = {task: 0 for task in parents}
    for _ in range(len(parents)):
        deeper = {t: 1 + max((depth.get(p, -1) for p in parents[t]), default=-1) for t in parents}
        if deeper == depth:
            break
        depth = deeper
    stage_of: dict[str, tuple[int, str]] = {}
    durations: dict[tuple[int, str], list[float]] = {}
    for row in rows.iter_rows(named=True):
        stage_of[row["id"]] = (depth[row["id"]], row["name"])
        durations.setdefault(stage_of[row["id"]], []).append(max(row["duration_s"], 0.001))
    number = {stage: i for i, stage in enumerate(sorted(durations))}
    edges = {(number[stage_of[p]], number[stage_of[t]])
             for t in parents for p in parents[t] if p in stage_of}  # fmt: skip
    seen = [np.array(durations[stage]) for stage in number]
    waves = tuple({SEEN_WITH[0]: (s, s, s)} for s in seen)
    counts = np.array([len(s) for s in seen])
    return Workflow(name, counts, np.array(sorted(edges), np.int64).reshape(-1, 2), waves)
