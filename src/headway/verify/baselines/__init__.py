"""What Headway is held against: published and plain methods, each fed in the same order of time.

`memory` and `runtime` map the printed name of a method to the function that answers for every
task of a replay. Nothing in them looks at an outcome before its event, but for 'hindsight', which
is a bound and no method. A method that would take too long says so instead of answering.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from headway.verify.baselines.hindsight import best_constant
from headway.verify.baselines.largest import largest
from headway.verify.baselines.plain_trees import sized_by_trees, timed_by_trees
from headway.verify.baselines.quantile import quantile
from headway.verify.baselines.recent import last_two, usual_of_name
from headway.verify.baselines.request import request
from headway.verify.baselines.seen import Given, Seen
from headway.verify.baselines.sizey import sizey
from headway.verify.baselines.split_conformal import split_conformal
from headway.verify.baselines.tovar import tovar
from headway.verify.baselines.vpa import vpa
from headway.verify.baselines.witt import witt

if TYPE_CHECKING:
    from collections.abc import Callable

    Method = Callable[[Seen], Given]

__all__ = ["CHEAP", "HINDSIGHT", "MEMORY", "RUNTIME", "Given", "Seen", "split_conformal"]

HINDSIGHT: Final = "hindsight"
"""The one row that nobody could have deployed."""

MEMORY: Final[dict[str, Method]] = {
    "request": request,
    "running max": partial(largest, margin=0.0),
    "running max + 15 %": partial(largest, margin=0.15),
    "p95 of history": partial(quantile, level=0.95),
    "p99 of history": partial(quantile, level=0.99),
    "VPA-like": vpa,
    "Witt-LR": witt,
    "Tovar": tovar,
    "Sizey port": sizey,
    "LightGBM + split conformal": sized_by_trees,
    HINDSIGHT: best_constant,
}
RUNTIME: Final[dict[str, Method]] = {
    "request": request,
    "last two": last_two,
    "median of user + name": usual_of_name,
    "plain LightGBM": timed_by_trees,
}
CHEAP: Final = ("request", "running max", "running max + 15 %", "p95 of history", "last two")
"""What a report shows beside Headway: no time is spent on the others."""
