"""Does a rollout end as it should, how soon, and how many tasks does a worse model touch?

python benchmarks/rollout_drills.py [--repeats 20] [--tasks 50000]

Time is simulated, nothing else is: tasks are split by the real hash, their records go through the
evidence, the verdicts, the gate and the stages that `headway serve` runs. A task comes each second
and its outcome 60 s later; a look every 300 s.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from headway.rollout import Plan, advance, begin
from headway.rollout.experiment import split_is_wrong
from headway.rollout.split import CHALLENGER, place_of
from headway.serve.evidence import Evidence
from headway.serve.judging import _split_of, held, verdict_of

CASES = [  # name, chance of failing of champion and challenger
    ("20 points more failures", 0.05, 0.25),
    ("10 points more failures", 0.05, 0.15),
    ("5 points more failures", 0.05, 0.10),
    ("equal", 0.05, 0.05),
    ("equal, many failures", 0.30, 0.30),
    ("5 points fewer failures", 0.10, 0.05),
    ("20 points fewer failures", 0.25, 0.05),
]
LOOK_S = 300
DELAY_S = 60


def play(seed: int, champion: float, challenger: float, tasks: int) -> tuple[str, float, int, int]:
    """Status, highest share reached, tasks until the end, and those the challenger answered."""
    rng = np.random.default_rng(seed)
    plan = Plan(dwell_s=600.0, budget_s=float(tasks), silent_s=10.0 * 3600.0)
    rollout = begin(f"r{seed}", "home", "v1", "v2", plan, 0.0)
    evidence, waiting, ours, highest = Evidence("nowhere"), [], 0, 0.0
    luck = rng.random(tasks)
    for now in range(tasks + LOOK_S):
        if now < tasks:
            id_, share = f"{seed}-{now}", rollout.share
            is_challenger = place_of(rollout.rollout_id, id_) < share
            ours += is_challenger
            shadow = [{"rollout_id": rollout.rollout_id, "memory_bytes": 100, "latency_s": 0.001}]
            evidence.take({
                "kind": "decision", "decision_id": id_, "at_s": float(now),
                "arm": CHALLENGER if is_challenger else "champion", "memory_bytes": 100,
                "rollouts": [[rollout.rollout_id, rollout.stage, is_challenger, id_]],
                "shadow": shadow if share == 0.0 else [], "latency_s": 0.001,
            }, float(now))  # fmt: skip
            fails = luck[now] < (challenger if is_challenger else champion)
            waiting.append((id_, "failed" if fails else "completed"))
        if now >= DELAY_S and now - DELAY_S < tasks:
            id_, state = waiting[now - DELAY_S]
            evidence.take({
                "kind": "outcome", "decision_id": id_, "at_s": float(now), "state": state,
                "wait_s": 1.0, "runtime_s": 60.0, "memory_peak_bytes": 50,
            }, float(now))  # fmt: skip
        if now % LOOK_S:
            continue
        stage = evidence.stage(rollout.rollout_id, rollout.stage)
        verdict = verdict_of(rollout, evidence)
        rollout = advance(
            rollout, verdict, challenger_outcomes=stage.outcomes[CHALLENGER],
            last_outcome_s=max(stage.last_outcome_s, 0.0), is_held=bool(held(plan, verdict)),
            is_split_wrong=split_is_wrong(_split_of(rollout, evidence)), now_s=float(now),
        )  # fmt: skip
        if not rollout.is_open:
            return rollout.status, highest, now, ours
        highest = max(highest, rollout.share)
    return rollout.status, highest, tasks, ours


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=50_000)
    asked = parser.parse_args()
    heads = (
        "promoted", "rolled back", "inconclusive", "went above 5 %", "median tasks until the end",
        "median tasks of the challenger",
    )  # fmt: skip
    print("| case | " + " | ".join(heads) + " |\n|" + "---|" * (len(heads) + 1), flush=True)
    for number, (name, champion, challenger) in enumerate(CASES):
        began_s = time.process_time()
        runs = [
            play(1000 * number + seed, champion, challenger, asked.tasks)
            for seed in range(asked.repeats)
        ]
        counts = [sum(run[0] == status for run in runs) for status in heads[:3]]
        above = sum(run[1] > 0.05 for run in runs)
        middle = [int(np.median([run[place] for run in runs])) for place in (2, 3)]
        cells = [name, *map(str, counts), str(above), *(f"{x:,}" for x in middle)]
        print(
            "| " + " | ".join(cells) + f" | {time.process_time() - began_s:.0f} CPU s", flush=True
        )


if __name__ == "__main__":
    main()
