"""Appends made-up tasks: `writer.py URI FIRST ROWS APPENDS [OPTION=VALUE ..]`.

Each append holds ROWS tasks in ten batches and half of them again with the next append, so that
writers that are started alike append the same records. Prints the counts of each append.
"""

import sys

from made_up import tasks

from headway.store import DeltaStore


def history(first: int, rows: int, appends: int) -> list:
    """The records of each append; ids run from `first`."""
    made = tasks(first + rows * (appends + 1) // 2 + rows, seed=1)
    return [made.slice(first + i * rows // 2, rows) for i in range(appends)]


def main(uri: str, first: str, rows: str, appends: str, *options: str) -> None:
    store = DeltaStore(uri, dict(option.split("=", 1) for option in options) or None)
    print("ready", flush=True)
    for frame in history(int(first), int(rows), int(appends)):
        counts = store.append("task", frame.iter_slices(max(1, int(rows) // 10)))
        print(counts.stored, counts.duplicate, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
