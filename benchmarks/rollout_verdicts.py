"""How often is an A/A experiment called different, and how soon is a real difference found?

python benchmarks/rollout_verdicts.py [--experiments 1000] [--looks 100]

Made outcomes (seeded): runtimes (lognormal), failures (5 %), waste per use (ratios). Each is looked
at again and again; beside it a z-test at each look, as is done by hand. Power: a challenger that is
really different, at equal shares and at a share of 5 %.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from headway.rollout.experiment import Metric, Moments, compare, standard_errors

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, float], Floats]
SEED = 0


def runtimes(rng: np.random.Generator, k: int, effect: float) -> Floats:
    """(k, 3) rows: runtimes of which the champion's prediction explains a part."""
    x = rng.normal(0.0, 1.0, k)
    y = np.exp(x + rng.normal(0.0, 0.5, k)) * (1.0 + effect)
    return np.column_stack([y, np.exp(x), np.ones(k)])


def failures(rng: np.random.Generator, k: int, effect: float) -> Floats:
    """(k, 3) rows: failures of 5 % and what is added."""
    return np.column_stack([rng.random(k) < 0.05 + effect, np.zeros(k), np.ones(k)])


def waste(rng: np.random.Generator, k: int, effect: float) -> Floats:
    """(k, 3) rows: memory wasted per memory used."""
    used = rng.lognormal(0.0, 0.7, k)
    wasted = used * rng.lognormal(-1.0, 0.5, k) * (1.0 + effect)
    return np.column_stack([wasted, np.zeros(k), used])


CASES: dict[str, tuple[Metric, Draw, tuple[float, ...]]] = {
    "runtime, adjusted": (Metric(name="runtime"), runtimes, (-0.05, -0.1, -0.2)),
    "failures (5 %)": (Metric(name="failures", kind="share"), failures, (0.02, 0.05, 0.2)),
    "waste per use": (Metric(name="waste", kind="ratio"), waste, (-0.05, -0.1, -0.2)),
}


def grow(arm: Moments, rows: Floats) -> None:
    """Add rows (k, 3) to an arm at once."""
    arm.n += len(rows)
    arm.sums += rows.sum(axis=0)
    arm.products += rows.T @ rows


def first_verdict(
    case: str, effect: float, share: float, looks: int, step: int, rng: np.random.Generator
) -> tuple[int | None, int | None]:
    """Outcomes of both arms until the first verdict, of the sequence and of a z-test; or None."""
    metric, draw, _ = CASES[case]
    arms = (Moments(), Moments())
    ours = theirs = None
    for look in range(1, looks + 1):
        challengers = int(rng.binomial(step, share))
        grow(arms[0], draw(rng, step - challengers, 0.0))
        grow(arms[1], draw(rng, challengers, effect))
        seen = compare(metric, *arms, alpha=0.05)
        if ours is None and not seen.low <= 0.0 <= seen.high:
            ours = look * step
        if theirs is None and math.isfinite(seen.high):
            size = 1.0 / (1.0 / arms[0].n + 1.0 / arms[1].n)
            error = (seen.high - seen.difference) / standard_errors(size, 0.05)
            theirs = look * step if abs(seen.difference) > 1.96 * error else None
        if ours is not None and theirs is not None:
            break
    return ours, theirs


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser()
    options.add_argument("--experiments", type=int, default=1000)
    options.add_argument("--looks", type=int, default=100)
    options.add_argument("--step", type=int, default=80)
    asked = options.parse_args()
    begun = time.process_time()
    print("A/A: share of experiments in which any look says that the arms differ")
    for case in CASES:
        for share in (0.5, 0.05):
            rng = np.random.default_rng(SEED)
            found = [
                first_verdict(case, 0.0, share, asked.looks, asked.step, rng)
                for _ in range(asked.experiments)
            ]
            ours, theirs = (np.mean([f[i] is not None for f in found]) for i in range(2))
            print(f"| {case} | {share:.0%} | {ours:.1%} | {theirs:.1%} |")
    print("A/B: share found within the looks, and the median outcomes of both arms until then")
    for case, (_, _, effects) in CASES.items():
        for effect in effects:
            for share in (0.5, 0.05):
                rng = np.random.default_rng(SEED + 1)
                times = [
                    first_verdict(case, effect, share, asked.looks, asked.step, rng)[0]
                    for _ in range(asked.experiments // 5)
                ]
                known = [t for t in times if t is not None]
                median = f"{np.median(known):.0f}" if known else "-"
                power = len(known) / len(times)
                print(f"| {case} | {effect:+g} | {share:.0%} | {power:.0%} | {median} |")
    print(f"{time.process_time() - begun:.0f} CPU s")


if __name__ == "__main__":
    main()
