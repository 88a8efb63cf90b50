"""What does a search for settings bring, on later time that it never saw?

`tuning.py MINUTES [DATASET ..]`: for each history and target a search from our own settings (the
baseline of every row), as `headway tune` does it, then the judgement. Histories as in ablation.py.
"""

import sys
import tempfile
import time
from pathlib import Path

from headway.train.tune import tune
from headway.tuning import told

sys.path.insert(0, str(Path(__file__).parent))
from ablation import HISTORIES

CASES = (
    ("HPC2N", "runtime_s"), ("CTC-SP2", "runtime_s"), ("IU PBS", "memory_bytes"),
    ("lotaru", "runtime_s"), ("galaxy-eu", "memory_bytes"),
)  # fmt: skip


def main():
    """Print one row a history."""
    minutes, chosen = float(sys.argv[1]), sys.argv[2:]
    print("| history | target | trials (pruned) | loss searched, ours -> best | tasks judged |"
          " loss judged, ours -> best | difference, 95 % | gain | wall s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for name, target in CASES:
        if chosen and name not in chosen:
            continue
        history, began = told(HISTORIES[name][0](), target), time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            found = tune(history, "boosted", Path(folder) / "journal", seconds=60.0 * minutes)
        took = time.perf_counter() - began
        search, judged, trials = found["search"], found["judged"], found["trials"]
        searched, later = (
            f"{1e3 * part['defaults_pinball_log']:.1f} -> {1e3 * part['tuned_pinball_log']:.1f}"
            for part in (search, judged)
        )
        low, high = (1e3 * bound for bound in judged["difference_95"])
        print(f"| {name} | {target} | {sum(trials.values())} ({trials.get('pruned', 0)}) |"
              f" {searched} | {judged['tasks']:,} | {later} | {low:+.1f} to {high:+.1f} |"
              f" {'yes' if judged['is_gain'] else 'no'} | {took:.0f} |", flush=True)  # fmt: skip
        print(f"  {name}: {found['settings']}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
