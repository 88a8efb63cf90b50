"""Small histories of our own making, and how to read one whole."""

import polars as pl

from headway.observe.trace import read

SWF_HEADER = "; Version: 2.2\n; UnixStartTime: 1000000000\n; MaxNodes: 4\n; MaxProcs: 8\n"


def swf_row(number, submit, wait=5, run=100, procs=4, limit=200, status=1, user=7, memory=512):
    return (
        f"{number} {submit} {wait} {run} {procs} 90 {memory} {procs} {limit} 1024 {status}"
        f" {user} 3 9 2 1 -1 -1\n"
    )


def swf(rows=20):
    return SWF_HEADER + "".join(swf_row(i, i * 100, user=i % 3) for i in range(1, rows + 1))


def whole(path, **options):
    """(tasks, quarantine, facts) of a file."""
    trace = read(path, **options)
    batches = list(trace)
    return (
        pl.concat([tasks for tasks, _ in batches]),
        pl.concat([bad for _, bad in batches]),
        trace.facts,
    )
