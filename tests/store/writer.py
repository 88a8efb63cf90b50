"""Appends made-up tasks: `writer.py URI FIRST ROWS APPENDS [OPTION=VALUE ..]`.

Each append holds ROWS tasks in ten batches; half of them come again with the next append. Says
`ready`, waits for a line or the end of its input, then prints the counts of each append.
"""

import sys

from tests.store.made_up import tasks

from headway.store import DeltaStore


def history(first: int, rows: int, appends: int) -> list:
    """The records of each append."""
    return [tasks(rows, first + i * rows // 2) for i in range(appends)]


def write(store: DeltaStore, first: int, rows: int, appends: int) -> list:
    """Append a history and give the counts of each append."""
    batch = max(1, rows // 10)
    return [store.append("task", f.iter_slices(batch)) for f in history(first, rows, appends)]


if __name__ == "__main__":
    options = dict(option.split("=", 1) for option in sys.argv[5:])
    log = DeltaStore(sys.argv[1], options or None)
    print("ready", flush=True)
    sys.stdin.readline()
    for counts in write(log, *map(int, sys.argv[2:5])):
        print(counts.stored, counts.duplicate)
