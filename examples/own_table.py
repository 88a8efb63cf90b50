"""Read a table with columns of its own names: what was understood, and what was set aside.

The same from the command line: `headway import jobs.csv --map "Came=submitted_s,.."`.
"""

from pathlib import Path

from headway import MemoryStore
from headway.observe.ingest import ingest
from headway.observe.trace import read

COLUMNS = {
    "Came": "submitted_s",
    "Waited min": "wait_s",
    "Took min": "runtime_s",
    "Asked": "limit_s",
    "Memory GB": "memory_requested_bytes",
    "Used MB": "memory_peak_bytes",
    "Owner": "user",
    "How it ended": "state",
}


def main() -> None:
    """Take the table in twice and show it."""
    store = MemoryStore()
    for _ in range(2):
        trace = read(Path(__file__).with_name("jobs.csv"), column_map=COLUMNS)
        done = ingest(trace, store, now_s=0.0)
        print(f"read {done.read} = {done.stored} stored + {done.duplicate} there already", end="")
        print(f" + {done.quarantined} set aside")
    for reason, examples in done.examples.items():
        print(f"{reason}: {examples[0]}")
    for warning in done.warnings:
        print("note:", warning)
    for task in store.read("task").iter_rows(named=True):
        took_s = task["ended_s"] - task["started_s"]
        peak = task["memory_peak_bytes"] / 2**20
        print(f"{task['id']:>2} {task['name']:5} {task['user']} {took_s:6.0f} s {peak:6.0f} MiB"
              f" {task['state']}")  # fmt: skip


if __name__ == "__main__":
    main()
