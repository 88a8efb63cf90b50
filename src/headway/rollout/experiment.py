"""Is the challenger better? A verdict that may be asked for at any moment, as often as one likes.

Differences between arms are held in confidence sequences: intervals that hold at all times at once,
so that looking at them every minute does not make chance look like an effect.

Sources: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central limit theory
and asymptotic confidence sequences", equation 6; the tuning of rho is their appendix B.2; Deng, Xu,
Kohavi and Walker (2013) for the adjustment by what was known before (CUPED); Deng, Knoblich and Lu
(2018) for ratios by the delta method; Lindon and Malek (2022), "Anytime-valid inference for
multinomial count data", for the test of the split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ENOUGH: Final = 30  # outcomes an arm needs before anything is said of it
BORROWED: Final = 100.0  # outcomes that the variance of the other arm counts for
TUNED_AT: Final = 250.0  # outcomes at which intervals are tightest
SPLIT_ALPHA: Final = 0.001  # chance of calling a right split wrong
Y, X, D = range(3)  # columns of Moments


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What is compared between arms; lower is better, so a benefit is given with its sign turned.

    kind: mean; share (outcomes of 0 and 1); ratio (sum of y over sum of d, such as bytes wasted per
    byte used). margin: how much worse a guardrail may become, in units of the metric.
    """

    name: str
    kind: str = "mean"
    is_guardrail: bool = False
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("mean", "share", "ratio"):
            raise ConfigError(f"a metric is a mean, share or ratio, got {self.kind!r}")
        if self.margin < 0:
            raise ConfigError(f"margin of {self.name!r} must be at least 0, got {self.margin}")


@dataclass(slots=True)
class Moments:
    """Count, sums and sums of products of (y, x, d) of one arm; adding is merging.

    y is the outcome, x what the champion's prediction said of it beforehand (0 = not used), d the
    denominator of a ratio.
    """

    n: int = 0
    sums: Floats = field(default_factory=lambda: np.zeros(3))
    products: Floats = field(default_factory=lambda: np.zeros((3, 3)))

    def add(self, y: float, x: float = 0.0, d: float = 1.0) -> None:
        """One more outcome; ConfigError where a number is not finite."""
        row = np.array([y, x, d])
        if not np.isfinite(row).all():
            raise ConfigError(f"an outcome must be finite, got y={y}, x={x}, d={d}")
        self.n += 1
        self.sums += row
        self.products += np.outer(row, row)

    def means(self) -> Floats:
        """(3,) means of y, x, d."""
        return self.sums / self.n

    def covariance(self) -> Floats:
        """(3, 3) of y, x, d."""
        means = self.means()
        spread = (self.products - self.n * np.outer(means, means)) / max(self.n - 1, 1)
        return np.asarray(spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Challenger minus champion in one metric, and where it lies at all times with 1 - alpha."""

    metric: str
    difference: float
    low: float
    high: float
    champion: float
    challenger: float
    n_champion: int
    n_challenger: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do, why, and the comparisons that say so."""

    verdict: str  # promote | roll back | continue | inconclusive
    why: str
    comparisons: tuple[Comparison, ...] = ()


def compare(metric: Metric, champion: Moments, challenger: Moments, alpha: float) -> Comparison:
    """One metric between two arms; an arm with fewer than ENOUGH outcomes says nothing (infinite).

    alpha: chance that the difference ever leaves its interval.
    """
    arms = (champion, challenger)
    if min(arm.n for arm in arms) < ENOUGH:
        said = [float(arm.means()[Y]) if arm.n else math.nan for arm in arms]
        low, high, difference = -math.inf, math.inf, said[1] - said[0]
    else:
        said, variance = _estimates(metric, arms)
        difference = said[1] - said[0]
        size = 1.0 / (1.0 / champion.n + 1.0 / challenger.n)
        reach = math.sqrt(variance) * standard_errors(size, alpha)
        low, high = difference - reach, difference + reach
    return Comparison(
        metric=metric.name, difference=difference, low=low, high=high, champion=said[0],
        challenger=said[1], n_champion=champion.n, n_challenger=challenger.n,
    )  # fmt: skip


def _estimates(metric: Metric, arms: Sequence[Moments]) -> tuple[list[float], float]:
    """The metric in each arm, and the variance of their difference."""
    means = [arm.means() for arm in arms]
    spreads = [arm.covariance() for arm in arms]
    if metric.kind == "ratio":
        if min(abs(m[D]) for m in means) == 0:
            raise ConfigError(f"the denominators of {metric.name!r} add up to 0")
        said = [float(m[Y] / m[D]) for m in means]
        rows = [np.array([1.0, 0.0, -ratio]) / m[D] for ratio, m in zip(said, means, strict=True)]
    else:
        theta = _explained(spreads)
        middle = (arms[0].sums[X] + arms[1].sums[X]) / (arms[0].n + arms[1].n)
        said = [float(m[Y] - theta * (m[X] - middle)) for m in means]
        rows = [np.array([1.0, -theta, 0.0])] * 2
    return said, _variance(metric, arms, [r @ s @ r for r, s in zip(rows, spreads, strict=True)])


def _variance(metric: Metric, arms: Sequence[Moments], own: Sequence[float]) -> float:
    """Of the difference, from the variance of an outcome in each arm.

    A small arm that has not met its rare outcomes yet seems surer than it is: the other arm's
    variance counts for BORROWED outcomes of it, where that is more.
    """
    if metric.kind == "share":  # as if one of each had come besides: never failed is not never
        seen = [(arm.sums[Y] + 1.0) / (arm.n + 2.0) for arm in arms]
        own = [max(v, p * (1.0 - p)) if v <= 0 else v for v, p in zip(own, seen, strict=True)]
    total = 0.0
    for arm, mine, other in zip(arms, own, own[::-1], strict=True):
        mixed = (arm.n * mine + BORROWED * other) / (arm.n + BORROWED)
        total += max(mine, mixed, 0.0) / arm.n
    return total


def _explained(spreads: Sequence[Floats]) -> float:
    """How much of y goes with x, in both arms together; 0 where x says nothing."""
    within = float(sum(spread[X, X] for spread in spreads))
    return float(sum(spread[Y, X] for spread in spreads)) / within if within > 0 else 0.0


def standard_errors(size: float, alpha: float) -> float:
    """Standard errors to each side within which a mean of `size` outcomes stays for ever.

    More than the 1.96 of a single look at 95 %, as it holds at all looks at once.
    """
    tail = -2.0 * math.log(alpha)
    rho = (tail + math.log(tail + 1.0)) / TUNED_AT
    grown = size * rho + 1.0
    return math.sqrt(2.0 * grown / (size * rho) * math.log(math.sqrt(grown) / alpha))


def split_is_wrong(counts: Sequence[tuple[int, int, float]]) -> bool:
    """Whether arms got other shares of traffic than they should (sample-ratio mismatch).

    counts: for each stage, keys of the champion, keys of the challenger, the challenger's share.
    Keys, not decisions: decisions of one user are not independent.
    """
    evidence = 0.0
    for champion, challenger, share in counts:
        if 0.0 < share < 1.0:
            a, b = 100.0 * share + 1.0, 100.0 * (1.0 - share) + 1.0
            evidence += _log_beta(a + challenger, b + champion) - _log_beta(a, b)
            evidence -= challenger * math.log(share) + champion * math.log1p(-share)
        elif challenger if share == 0.0 else champion:
            return True
    return evidence > -math.log(SPLIT_ALPHA)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def judge(
    metrics: Sequence[Metric],
    champion: Mapping[str, Moments],
    challenger: Mapping[str, Moments],
    *,
    alpha: float = 0.05,
    is_spent: bool = False,
) -> Verdict:
    """What the outcomes so far say of the challenger.

    The first metric that is no guardrail decides; alpha, the chance of any wrong verdict however
    often this is asked, is shared: half for it, half for the guardrails. is_spent: the budget of
    time or outcomes is used up.
    """
    if not 0.0 < alpha < 1.0:
        raise ConfigError(f"alpha must be in (0, 1), got {alpha}")
    primary = [metric for metric in metrics if not metric.is_guardrail]
    if len(primary) != 1:
        raise ConfigError(f"an experiment has one metric that decides, got {len(primary)}")
    guards = [metric for metric in metrics if metric.is_guardrail]
    empty = Moments()
    shares = {metric.name: alpha / 2 / len(guards) for metric in guards}
    shares[primary[0].name] = alpha / 2 if guards else alpha
    found = {
        m.name: compare(
            m, champion.get(m.name, empty), challenger.get(m.name, empty), shares[m.name]
        )
        for m in [*primary, *guards]
    }
    verdict, why = _decided(primary[0], guards, found, is_spent=is_spent)
    return Verdict(verdict=verdict, why=why, comparisons=tuple(found.values()))


def _decided(
    primary: Metric, guards: Sequence[Metric], found: Mapping[str, Comparison], *, is_spent: bool
) -> tuple[str, str]:
    """The verdict with its reason: guardrails first, then the metric that decides."""
    for metric in guards:
        seen = found[metric.name]
        if seen.low > metric.margin:
            return "roll back", (
                f"{metric.name} is worse by {seen.difference:.4g}, by more than {metric.margin:g}"
                f" for sure (at least {seen.low:.4g})"
            )
    seen = found[primary.name]
    interval = f"{seen.difference:.4g} (always within {seen.low:.4g} to {seen.high:.4g})"
    if seen.low > 0:
        return "roll back", f"{primary.name} is worse: {interval}"
    if seen.high < 0:
        return "promote", f"{primary.name} is better: {interval}"
    if not math.isfinite(seen.low):
        interval = f"an unknown amount (each arm needs {ENOUGH} keys with outcomes)"
    if is_spent:
        return "inconclusive", f"{primary.name} differs by {interval} and the budget is used up"
    return "continue", f"{primary.name} differs by {interval}"
