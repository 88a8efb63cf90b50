"""How well do the detectors and the alert policy do on the Numenta Anomaly Benchmark?

`python benchmarks/nab.py [NAB FOLDER]`: each single detector and the ensemble, causal, one
parameter set for all files; raw scores, and after the usual alert policy, where a point counts if
an alert was raised at it. Settings were chosen on files 0, 2, 4, .. of the sorted names (half A);
half B was not used for choosing. `--search` repeats the choice of the policy on half A.
"""

from __future__ import annotations

import itertools
import json
import sys
import time

import numpy as np

from headway.anomaly import DETECTORS, MEMBERS, Alerting, detector, usual_policy
from headway.anomaly.joint import ROW_DETECTORS
from nab_protocol import PROFILES, Series, corpus, nab_folder, nab_scores

SINGLE = 0.99  # threshold of the policy for a single detector, chosen on half A
LIFTS = [
    {"threshold": threshold, "hold": hold, "lift": lift, "fade": fade}
    for threshold, hold, lift, fade in itertools.product(
        (0.9, 0.9438, 0.9684, 0.9822), (60, 80, 100), (0.15, 0.25, 0.35), (5000, 10_000)
    )
]


def scored(one, series: list[Series]) -> list[np.ndarray]:
    """The score (n,) of each point of each file, before it was learned; files side by side."""
    steps = max(len(s.y) for s in series)
    y = np.full((steps, len(series)), np.nan)
    at_s = np.zeros((steps, len(series)))
    for j, s in enumerate(series):
        y[: len(s.y), j], at_s[: len(s.y), j], at_s[len(s.y) :, j] = s.y, s.at_s, s.at_s[-1]
    found = np.full(y.shape, np.nan)
    for t in range(steps):
        found[t] = one.score(at_s[t], y[t])
        one.learn(at_s[t], y[t])
    return [found[: len(s.y), j] for j, s in enumerate(series)]


def raised(series: list[Series], scores: list[np.ndarray], policy) -> list[np.ndarray]:
    """The score of each point at which an alert was raised, 0 elsewhere; policy(step_s) makes it.

    Several points at one moment are one to the policy; times go by the file.
    """
    marked = []
    for s, score in zip(series, scores, strict=True):
        alerting = Alerting([s.name], policy(float(np.median(np.diff(s.at_s)))))
        mark = np.zeros(len(s.y))
        for t in np.flatnonzero(np.nan_to_num(score) > 0.5):
            for alert in alerting.step(s.at_s[t], score[t : t + 1]):
                if alert.ended_s is None:
                    mark[t] = alert.score
        marked.append(mark)
    return marked


def row(name: str, series: list[Series], scores: list[np.ndarray]) -> None:
    """Print the three profiles of half A, half B and all files, each at its best threshold."""
    parts = []
    for picked in (slice(0, None, 2), slice(1, None, 2), slice(None)):
        said = nab_scores(series[picked], scores[picked])
        parts.append(" / ".join(f"{said[profile][0]:5.1f}" for profile in PROFILES))
    alerts = sum(int((s > 0).sum()) for s in scores) if "alerts" in name else 0
    print(f"{name:28} | {' | '.join(parts)} | {alerts or ''}", flush=True)


def searched(series: list[Series], scores: list[np.ndarray]) -> None:
    """The policy with the best mean of the three profiles on half A."""
    half, own = series[::2], scores[::2]
    found = []
    for one in LIFTS:

        def policy(step_s, one=one):
            return usual_policy(
                step_s, threshold=one["threshold"], hold_s=one["hold"] * step_s, lift=one["lift"],
                fade_s=one["fade"] * step_s,
            )  # fmt: skip

        said = nab_scores(half, raised(half, own, policy))
        found.append((np.mean([said[profile][0] for profile in PROFILES]), json.dumps(one)))
    for mean, one in sorted(found)[:-6:-1]:
        print(f"{mean:6.2f} {one}", flush=True)


def main() -> None:
    """Print a row a detector, published detectors below."""
    folder = nab_folder()
    series = corpus(folder)
    print("standard / low-FP / low-FN | half A | half B | all | alerts")
    for name in ("ensemble", *DETECTORS):
        if name in ("peers", "joint", *ROW_DETECTORS):
            continue  # they need series of one clock
        began = time.process_time()
        scores = scored(detector(name), series)
        cpu_s = time.process_time() - began
        row(f"{name}, raw ({cpu_s:.0f} CPU s)", series, scores)
        settings = {} if name == "ensemble" else {"threshold": SINGLE}
        row(
            f"{name}, alerts",
            series,
            raised(series, scores, lambda s, a=settings: usual_policy(s, **a)),
        )
        if name == "ensemble" and "--search" in sys.argv:
            searched(series, scores)
    print(f"members of the ensemble: {', '.join(MEMBERS)}")
    published = json.loads((folder / "results" / "final_results.json").read_text())
    for name, table in sorted(published.items(), key=lambda x: -x[1]["standard"]):
        print(f"{name:28} | {' / '.join(f'{table[profile]:5.2f}' for profile in PROFILES)}")


if __name__ == "__main__":
    main()
