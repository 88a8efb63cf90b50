"""How many CPU seconds does it take to follow a growing file, beside scoring it anew at each row?

`python benchmarks/watch_speed.py`: files of 1 and 20 series with a row a minute, ROWS of them
there at the beginning, then LOOKS looks with nothing new and LOOKS with one row each, through
`headway.watching.follow` with the usual ensemble and a home that keeps what is found. Baseline:
`detect_file` on the whole file at each look, measured once. Seed 0; process time.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from headway.alerts import iso
from headway.detecting import detect_file
from headway.watching import follow

ROWS, LOOKS = 10_000, 200


def rows(y, start):
    """Lines of a wide file."""
    return "".join(
        f"{iso(1.7e9 + 60.0 * (start + t))},{','.join(f'{v:.3f}' for v in row)}\n"
        for t, row in enumerate(y)
    )


def measured(folder, series):
    """CPU seconds: the first look, an idle look, a look at one new row, all anew."""
    y = np.random.default_rng(0).normal(50.0, 2.0, (ROWS + LOOKS, series))
    path = Path(folder, f"load{series}.csv")
    path.write_text(f"time,{','.join(f's{i}' for i in range(series))}\n{rows(y[:ROWS], 0)}")
    at = [time.process_time()]
    followed = follow(path, Path(folder, f"home{series}"))
    followed.poll(0.0)
    at.append(time.process_time())
    for _ in range(LOOKS):
        followed.poll(0.0)
    at.append(time.process_time())
    for t in range(LOOKS):
        with path.open("a") as file:
            file.write(rows(y[ROWS + t : ROWS + t + 1], ROWS + t))
        followed.poll(0.0)
    at.append(time.process_time())
    followed.close()
    detect_file(path, home=Path(folder, f"other{series}"), progress=lambda *_: None)
    at.append(time.process_time())
    first, idle, one, anew = np.diff(at)
    return first, idle / LOOKS, one / LOOKS, anew


def main():
    """Print the table."""
    print("| series | first look at 10,000 rows, CPU s | idle look, CPU ms | a look with one new"
          " row, CPU ms | baseline: detect anew, CPU ms |\n|---|---|---|---|---|")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for series in (1, 20):
            first, idle, one, anew = measured(folder, series)
            print(f"| {series} | {first:.1f} | {1e3 * idle:.2f} | {1e3 * one:.1f} |"
                  f" {1e3 * anew:,.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()
