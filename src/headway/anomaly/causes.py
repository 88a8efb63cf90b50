"""What may be why: the parts that are strange by themselves, the likeliest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEAST: Final = 1.3  # decades of rarity below which a series is not named: one point in twenty
_LATE: Final = 0.5  # what a cause counts that turned strange after what it should explain
_USUAL: Final = 10  # points of normal time without which nothing is said of a series


class Cause(NamedTuple):
    """A part that may be why, and how likely beside others; above 0."""

    name: str
    weight: float


def likely_causes(
    names: Sequence[str],
    scores: Floats,
    about: str,
    depends_on: Mapping[str, Sequence[str]] | None = None,
    most: int = 3,
) -> tuple[str, ...]:
    """The likeliest causes of the trouble of one series, by the scores of all; for `Alert.causes`.

    scores (n_steps, n) in [0, 1]: of the incident's steps and a few before, NaN = cannot say;
    depends_on: what each part needs to work, such as a service its database. The series itself is
    among the answers where nothing that it depends on explains it.
    """
    if about not in names:
        raise ConfigError(f"about must be one of the series, got {about!r}")
    rare = -np.log10(np.clip(1.0 - np.nan_to_num(np.atleast_2d(scores)), 1e-15, 1.0))
    at = tuple(names).index(about)
    strange = together(rare, at)
    is_strange = rare >= np.maximum(_LEAST, 0.5 * rare.max(axis=0))
    began = np.where(is_strange.any(axis=0), np.argmax(is_strange, axis=0), np.inf)
    late = began > began[at]
    weights = np.where(strange >= _LEAST, strange, 0.0)
    found = rank_causes(names, weights, about, depends_on, is_late=late)
    return tuple(cause.name for cause in found[:most])


def rank_causes(
    names: Sequence[str],
    strange: Floats,
    about: str,
    depends_on: Mapping[str, Sequence[str]] | None = None,
    *,
    share: Floats | None = None,
    is_late: NDArray[np.bool_] | None = None,
) -> tuple[Cause, ...]:
    """Parts that may be why, the likeliest first: strange, and not because of what they depend on.

    strange (n,): how strange each part is, at least 0, NaN = not observed, on a scale on which
    differences count, such as decades of rarity. depends_on: see `likely_causes`; with it, only
    what `about` depends on, directly or not, can be why, and a part counts by how much stranger it
    is than the strangest part that it depends on; parts that are not observed are looked through.
    share (n,) in [0, 1]: how much of the trouble each part accounts for; None = not known. is_late
    (n,): it turned strange after `about` and counts half.
    Source: Orchard, Okati, Garrido Mejia, Bloebaum, Janzing (2025), "Root cause analysis of
    outliers with missing structural knowledge", smooth traversal (score ordering without a graph).
    The share and the lateness are our own.
    """
    seen = {k: float(v) for k, v in zip(names, strange, strict=True) if np.isfinite(v)}
    shares = dict(zip(names, np.ones(len(names)) if share is None else share, strict=True))
    late = dict(zip(names, np.zeros(len(names)) if is_late is None else is_late, strict=True))
    graph = depends_on or {}
    possible = _needed(graph, about) if depends_on else set(seen)
    found = []
    for name in seen.keys() & possible:
        explained = max((seen[x] for x in _observed(graph, name, seen)), default=0.0)
        weight = (seen[name] - explained) * np.clip(shares[name], 0.0, 1.0)
        found.append(Cause(name, float(weight * (_LATE if late[name] else 1.0))))
    return tuple(sorted((c for c in found if c.weight > 0), key=lambda c: (-c.weight, c.name)))


def together(rare: Floats, about: int) -> Floats:
    """How strange (n,) each series was while series `about` was, from rare (n_steps, n) >= 0."""
    rare = np.nan_to_num(rare)
    weight = rare[:, about] + 1e-6
    return np.asarray(weight @ rare / weight.sum(), dtype=np.float64)


def departures(came: Floats, before: Floats, usual: Floats) -> Floats:
    """How far each series went from where it was, came (n_steps, n), in what is usual for it.

    before (n_before, n): just before the incident; where that is NaN, the median of usual
    (n_usual, n), of a calm time, is meant. The unit is a robust deviation of the calm time, and is
    larger for a series that had left its calm ways before. NaN where too little was observed.
    """
    with np.errstate(invalid="ignore"):
        middle = _quantile(usual, 0.5)
        spread = 1.4826 * _quantile(np.abs(usual - middle), 0.5)
        wide = (_quantile(usual, 0.99) - _quantile(usual, 0.01)) / 4.65
        was = _quantile(before, 0.5)
        drift = np.nan_to_num(np.abs(was - middle))
        centre = np.where(np.isfinite(was), was, middle)
        unit = np.fmax(np.fmax(spread, wide), 1e-3 * np.abs(middle)) + 1e-9
        unit = np.where(np.isfinite(usual).sum(axis=0) >= _USUAL, unit, np.nan)
        return np.asarray((came - centre) / np.hypot(unit, drift), dtype=np.float64)


def _needed(graph: Mapping[str, Sequence[str]], about: str) -> set[str]:
    """The part itself and all that it depends on, directly or not."""
    found, ahead = {about}, [about]
    while ahead:
        new = set(graph.get(ahead.pop(), ())) - found
        found |= new
        ahead += sorted(new)
    return found


def _observed(graph: Mapping[str, Sequence[str]], name: str, seen: Mapping[str, float]) -> set[str]:
    """The nearest parts that one depends on and that were observed."""
    found: set[str] = set()
    passed, ahead = {name}, list(graph.get(name, ()))
    while ahead:
        part = ahead.pop()
        if part in passed:
            continue
        passed.add(part)
        if part in seen:
            found.add(part)
        else:
            ahead += graph.get(part, ())
    return found


def _quantile(x: Floats, level: float) -> Floats:
    """A quantile (n,) of what is observed in x (n_steps, n); NaN where nothing is."""
    count = np.isfinite(x).sum(axis=0)
    if not len(x):
        return np.full(x.shape[1], np.nan)
    ordered = np.sort(x, axis=0)  # NaN comes last
    place = level * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    at = np.arange(x.shape[1])
    part = place - low
    return np.asarray(ordered[low, at] * (1.0 - part) + ordered[high, at] * part)
