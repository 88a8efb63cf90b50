"""Generated workloads, as many as training needs: the model of Lublin and Feitelson.

Widths, runtimes and arrivals over the day are drawn from the published distributions for a machine
of 128 processors, stretched to a machine of any size; arrivals may be stretched to a stated load.
Source: Lublin, Feitelson (2003), "The workload on parallel supercomputers: modeling the
characteristics of rigid jobs", tables of section 7 (all jobs, batch jobs, interactive jobs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.simulate.workload import Workload

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_LOG_S: Final = 12.0  # longer runtimes and gaps are drawn again
BUCKETS: Final = 48  # half hours of a day
BUCKET_S: Final = 1800.0
DAY_START: Final = 11  # the bucket in which the model's day begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Parameters of one kind of jobs; widths are log2 of processors on the model's own machine."""

    serial: float  # share of jobs of one processor
    power_of_2: float  # share of parallel jobs with a power of two
    narrow: float  # smallest width of a parallel job
    below_widest: float  # how far the bend of the width's distribution lies below the machine's
    bend: float  # share of parallel jobs below the bend
    runtime: tuple[float, float, float, float]  # shape, scale, shape, scale of two gammas of ln s
    short: tuple[float, float]  # slope on processors, constant of the first gamma's share
    gap: tuple[float, float]  # shape, scale of the gamma of ln s between arrivals at rush hours
    day: tuple[float, float]  # shape, scale of the gamma of arrivals over the day
    gap_ratio: float  # of all hours to rush hours, times the shape


KINDS: Final = {
    "all": Kind(
        serial=0.244, power_of_2=0.576, narrow=0.8, below_widest=2.5, bend=0.86,
        runtime=(4.2, 0.94, 312.0, 0.03), short=(-0.0054, 0.78),
        gap=(10.2303, 0.4871), day=(8.1737, 3.9631), gap_ratio=1.0225,
    ),
    "batch": Kind(
        serial=0.2927, power_of_2=0.6686, narrow=1.2, below_widest=2.0, bend=0.875,
        runtime=(6.57, 0.823, 639.1, 0.0156), short=(-0.003, 0.6986),
        gap=(6.0415, 0.8531), day=(6.1271, 5.2740), gap_ratio=1.0519,
    ),
    "interactive": Kind(
        serial=0.1541, power_of_2=0.625, narrow=1.0, below_widest=2.5, bend=0.705,
        runtime=(3.8351, 0.6605, 7.073, 0.6856), short=(-0.0118, 0.9156),
        gap=(6.5510, 0.6621), day=(8.9186, 3.6680), gap_ratio=0.9797,
    ),
}  # fmt: skip


def lublin(
    rng: np.random.Generator,
    jobs: int,
    total_procs: int,
    *,
    kind: str = "all",
    load: float | None = None,
) -> Workload:
    """`jobs` tasks on total_procs processors; requests are the true runtimes.

    load: processor-seconds asked for over those there are, reached by stretching the gaps between
    arrivals; None = as the model gives it.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind must be one of {', '.join(KINDS)}, got {kind}")
    if jobs < 1 or total_procs < 1 or (load is not None and load <= 0.0):
        raise ConfigError(
            f"jobs, total_procs and load must be positive, got {jobs}, {total_procs} and {load}"
        )
    model = KINDS[kind]
    procs = _procs(rng, model, jobs, total_procs)
    runtime_s = _runtime_s(rng, model, procs * 128.0 / total_procs)
    submit_s = _submit_s(rng, model, jobs)
    if load is not None:
        offered = float(np.dot(procs, runtime_s)) / total_procs
        span_s = max(float(submit_s[-1] - submit_s[0]), 1.0)
        submit_s = np.floor((submit_s - submit_s[0]) * offered / load / span_s)
    return Workload(
        submit_s=submit_s,
        runtime_s=runtime_s,
        requested_s=runtime_s.copy(),
        procs=procs,
        rows=np.arange(jobs),
        total_procs=total_procs,
    )


def _procs(rng: np.random.Generator, model: Kind, jobs: int, total_procs: int) -> NDArray[np.int64]:
    """Processors of each job: serial, a power of two, or any."""
    widest = np.log2(total_procs)
    bend = max(widest - model.below_widest, model.narrow)
    low = rng.uniform(model.narrow, max(bend, model.narrow), jobs)
    high = rng.uniform(bend, max(widest, bend), jobs)
    log_width = np.where(rng.uniform(size=jobs) <= model.bend, low, high)
    kind = rng.uniform(size=jobs)
    is_power = (kind > model.serial) & (kind <= model.serial + model.power_of_2)
    log_width = np.where(is_power, np.floor(log_width + 0.5), log_width)
    width = np.where(kind <= model.serial, 1.0, np.floor(2.0**log_width + 0.5))
    return np.clip(width, 1, total_procs).astype(np.int64)


def _runtime_s(rng: np.random.Generator, model: Kind, procs: Floats) -> Floats:
    """Seconds of each job, at least 1: exp of one of two gammas, by its width."""
    shape, scale, long_shape, long_scale = model.runtime
    share = np.clip(model.short[0] * procs + model.short[1], 0.0, 1.0)
    log_s = np.full(len(procs), np.inf)
    while (again := np.flatnonzero(log_s > MAX_LOG_S)).size:
        is_short = rng.uniform(size=again.size) <= share[again]
        log_s[again] = np.where(
            is_short,
            rng.gamma(shape, scale, again.size),
            rng.gamma(long_shape, long_scale, again.size),
        )
    return np.maximum(np.floor(np.exp(log_s)), 1.0)


def _submit_s(rng: np.random.Generator, model: Kind, jobs: int) -> Floats:
    """Moments of arrival: gaps are paid for by the weight of each half hour of the day."""
    shape, scale = model.gap[0] * model.gap_ratio, model.gap[1]
    log_s = np.full(jobs, np.inf)
    while (again := np.flatnonzero(log_s > MAX_LOG_S)).size:
        log_s[again] = rng.gamma(shape, scale, again.size)
    points = np.cumsum(np.exp(log_s)) / BUCKET_S
    paid = np.concatenate([[0.0], np.cumsum(_weights(model))])
    days, rest = np.divmod(points, paid[-1])
    return np.floor((days * BUCKETS + np.interp(rest, paid, np.arange(BUCKETS + 1))) * BUCKET_S)


def _weights(model: Kind) -> Floats:
    """The weight (BUCKETS,) of each half hour of the day; mean 1."""
    shape, scale = model.day
    grid = np.linspace(0.0, DAY_START + BUCKETS, 20001)[1:]
    density = np.exp((shape - 1.0) * np.log(grid) - grid / scale)
    cumulated = np.concatenate([[0.0], np.cumsum(density)])
    cumulated /= cumulated[-1]
    edges = np.arange(DAY_START, DAY_START + BUCKETS + 1) - 0.5
    mass = np.diff(np.interp(edges, np.concatenate([[0.0], grid]), cumulated))
    weights = np.empty(BUCKETS)
    weights[(np.arange(DAY_START, DAY_START + BUCKETS) - 1) % BUCKETS] = mass
    return weights / weights.mean()
