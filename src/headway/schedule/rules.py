"""Rules that order a queue: lower key first, ties by arrival.

Each rule is a compiled function of one task's estimated runtime r (s), processors n, submission s
(s from the zero of its source) and wait w (s). A static rule does not look at w, so its keys may
be computed once; the others are evaluated anew at every event.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.compiled import bare, compiled
from headway.schedule.siblings import Siblings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@bare
def _log10(x: float) -> float:
    """log10, with what is not positive counted as 0.1 (as RLScheduler does)."""
    return math.log10(x if x > 0.0 else 0.1)


@bare
def fcfs(r: float, n: float, s: float, w: float) -> float:
    """First come, first served."""
    return s


@bare
def sjf(r: float, n: float, s: float, w: float) -> float:
    """Shortest job first. Source: Smith (1956), "Optimizers for single-stage production"."""
    return r


@bare
def saf(r: float, n: float, s: float, w: float) -> float:
    """Smallest area first. Source: Carastan-Santos et al. (2019), "One can only gain"."""
    return r * n


@bare
def areaxt(r: float, n: float, s: float, w: float) -> float:
    """Smallest area times runtime first; no published source (the area of SAF weighted by r)."""
    return r * n * max(r, 10.0)


@bare
def f1(r: float, n: float, s: float, w: float) -> float:
    """F1. Source: Carastan-Santos, de Camargo (2017), "Obtaining dynamic scheduling policies"."""
    return _log10(r) * n + 870.0 * _log10(s)


@bare
def f2(r: float, n: float, s: float, w: float) -> float:
    """F2. Source: as F1."""
    return math.sqrt(r) * n + 25600.0 * _log10(s)


@bare
def f3(r: float, n: float, s: float, w: float) -> float:
    """F3. Source: as F1."""
    return r * n + 6860000.0 * _log10(s)


@bare
def f4(r: float, n: float, s: float, w: float) -> float:
    """F4. Source: as F1."""
    return r * math.sqrt(n) + 530000.0 * _log10(s)


@bare
def wfp3(r: float, n: float, s: float, w: float) -> float:
    """Wait over request, cubed, times width.

    Source: Tang et al. (2009), "Fault-aware, utility-based job scheduling on Blue Gene/P systems".
    """
    return -((w / r) ** 3) * n


@bare
def unicep(r: float, n: float, s: float, w: float) -> float:
    """Wait over request times log of width. Source: Tang et al. (2009), as RLScheduler codes it."""
    return -(w + 1e-15) / (math.log2(n + 1e-15) * r)


@bare
def wfp3_published(r: float, n: float, s: float, w: float) -> float:
    """WFP3 with the wait of RLScheduler's code, -1 - s, which has the wrong sign.

    Source: Zhang et al. (2020), "RLScheduler".
    """
    return wfp3(r, n, s, -1.0 - s)


@bare
def unicep_published(r: float, n: float, s: float, w: float) -> float:
    """UNICEP with the wait of RLScheduler's code, -1 - s, which has the wrong sign.

    Source: Zhang et al. (2020), "RLScheduler".
    """
    return unicep(r, n, s, -1.0 - s)


_NAMES: Final = (
    "fcfs", "sjf", "saf", "areaxt", "f1", "f2", "f3", "f4", "wfp3", "unicep",
    "wfp3-published", "unicep-published",
)  # fmt: skip


@bare
def key_of(number: int, r: float, n: float, s: float, w: float) -> float:
    """The key of one task by the rule of a number (its place in RULES)."""
    if number == 0:
        return fcfs(r, n, s, w)
    if number == 1:
        return sjf(r, n, s, w)
    if number == 2:
        return saf(r, n, s, w)
    if number == 3:
        return areaxt(r, n, s, w)
    if number == 4:
        return f1(r, n, s, w)
    if number == 5:
        return f2(r, n, s, w)
    if number == 6:
        return f3(r, n, s, w)
    if number == 7:
        return f4(r, n, s, w)
    if number == 8:
        return wfp3(r, n, s, w)
    if number == 9:
        return unicep(r, n, s, w)
    if number == 10:
        return wfp3_published(r, n, s, w)
    return unicep_published(r, n, s, w)


@compiled
def keys_of(number: int, r: Floats, n: NDArray[np.int64], s: Floats, w: Floats) -> Floats:
    """The keys (n,) of a queue by the rule of a number."""
    keys = np.empty(len(r))
    for i in range(len(r)):
        keys[i] = key_of(number, r[i], float(n[i]), s[i], w[i])
    return keys


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name, with what the simulator must know of it."""

    name: str
    number: int  # for key_of
    is_static: bool  # the key does not change while a task waits
    backfills_by_key: bool  # else by arrival


RULES: Final[dict[str, Rule]] = {
    name: Rule(name, i, name not in ("wfp3", "unicep"), name in ("sjf", "saf", "areaxt"))
    for i, name in enumerate(_NAMES)
}
"""Every rule by its name on the command line."""


def rule_named(name: str) -> Rule:
    """The rule of a name; ConfigError if there is none.

    >>> rule_named("saf").backfills_by_key
    True
    """
    if name not in RULES:
        raise ConfigError(
            f"policy must be one of {', '.join(RULES)}, learned:PATH or all, got {name}"
        )
    return RULES[name]


@dataclass(frozen=True, slots=True)
class Order:
    """The order in which n tasks take their turns: lower key first, ties by arrival.

    key (n,) where it is static; else the rule of `number` is asked with order_s (n,) while they
    wait. A learned order is an Order with its own keys; with siblings, what ends while a task waits
    is added to its key, which must then be the log of a runtime times whatever else counts.
    """

    key: Floats
    order_s: Floats
    number: int = -1  # of the rule; -1 = the keys are all there is
    is_static: bool = True
    backfills_by_key: bool = False  # else by arrival
    siblings: Siblings | None = None


def order_by(rule: Rule, order_s: Floats, procs: NDArray[np.int64], submit_s: Floats) -> Order:
    """The order of a rule with the estimates order_s (n,) of the runtimes."""
    key = keys_of(rule.number, order_s, procs, submit_s, np.zeros(len(submit_s)))
    return Order(key, order_s, rule.number, rule.is_static, rule.backfills_by_key)
