"""The seven nouns. Nothing inherits: whatever has these methods fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from headway.records import ClusterState, Decision, Estimate, Event

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events, oldest first, and where to go on reading. Delivery is at least once."""

    events: tuple[Event, ...]
    cursor: str  # opaque; '' = the beginning. A time is not a cursor: events share moments


@dataclass(frozen=True, slots=True)
class Features:
    """What was known about n tasks at their moments of decision.

    names (d,), values (n, d) with NaN = not known, keys = the subset of names that are integer
    codes of a key column (user, name, ...), at_s (n,) the moments, version of the definition.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    keys: tuple[str, ...]
    at_s: NDArray[np.float64]
    version: str

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> NDArray[np.float64]:
        """The values (n,) of one feature."""
        return self.values[:, self.names.index(name)]

    def take(self, rows: NDArray[np.intp] | slice) -> Features:
        """The same columns for the chosen rows."""
        return Features(self.names, self.values[rows], self.keys, self.at_s[rows], self.version)


@dataclass(frozen=True, slots=True)
class Panel:
    """n series on one grid of times.

    names (n,), at_s (n_steps,) rising by step_s, y (n_steps, n) with NaN = not observed, seasons in
    steps, the shortest first: a day and a week where they are whole numbers of steps.
    """

    names: tuple[str, ...]
    at_s: NDArray[np.float64]
    y: NDArray[np.float64]
    step_s: float
    seasons: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of the records handed to a Store: stored + duplicate = handed in."""

    stored: int  # new keys, and known keys with a new state
    duplicate: int  # already there, the same in every column


@dataclass(frozen=True, slots=True)
class Preferences:
    """How much each aim counts when a policy decides; weights are at least 0."""

    slowdown: float = 1.0
    wait: float = 0.0
    tail: float = 0.0
    utilisation: float = 0.0
    cost: float = 0.0
    energy: float = 0.0
    fairness: float = 0.0
    deadlines: float = 0.0


class Cluster(Protocol):
    """Where tasks run: Slurm, a process pool, a trace, the simulator."""

    def events(self, after: str) -> Batch:
        """What happened after a cursor."""
        ...

    def state(self) -> ClusterState:
        """What waits, runs and is free now; without estimates."""
        ...

    def apply(self, decision: Decision) -> None:
        """Carry a decision out; ClusterError if it was not."""
        ...


class Store(Protocol):
    """Append-only log of everything seen, believed and decided."""

    def append(self, kind: str, batches: Iterable[pl.DataFrame]) -> Appended:
        """Add records of one kind, all or none: an error raised by the iterable leaves nothing.

        The same records again add nothing; a record of a known key with other values replaces it
        for readers. StoreError if not written.
        """
        ...

    def read(self, kind: str, start_s: float, end_s: float) -> pl.DataFrame:
        """The latest state of each record with start_s <= time < end_s, in order of time."""
        ...


class Predictor(Protocol):
    """One number about each task: its runtime, peak memory or risk of failing."""

    def predict(self, x: Features) -> Estimate:
        """An answer a row, (n,); never changes the predictor."""
        ...

    def learn(self, x: Features, y: NDArray[np.float64], censored: NDArray[np.bool_]) -> None:
        """Outcomes y (n,) in order of time; where censored, y is only a lower bound."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A Predictor that holds an outcome against what it believed of it at its submission."""

    def remember(self, x: Features) -> Features:
        """The same rows with what is believed of them now, to be handed to `learn` later."""
        ...


class Forecaster(Protocol):
    """The future of a panel of series."""

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        ...

    def learn(self, at_s: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """at_s (n_steps,), y (n_steps, n_series); NaN = not observed."""
        ...


class Detector(Protocol):
    """How strange the newest point of each of n series is; one point in, one score out."""

    def score(self, at_s: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point y (n,) that follows what was learned -> (n,) in [0, 1], higher is stranger.

        Calibrated on the detector's own past; NaN where y is NaN (not observed) or too little is
        known. Never changes the detector: score a point before learning it.
        """
        ...

    def learn(self, at_s: float, y: NDArray[np.float64]) -> None:
        """The next point y (n,) at at_s, later than all before; NaN = not observed."""
        ...


class Policy(Protocol):
    """What to do next: rules and networks alike."""

    def decide(self, state: ClusterState, preferences: Preferences) -> Sequence[Decision]:
        """Decisions in the order in which they should be carried out."""
        ...


Guard = Callable[[Decision, ClusterState], str]
"""Why a decision must not be carried out; '' = allowed."""
