"""How long does `headway optimize` take on real histories, and in how much memory?

`optimize_histories.py HISTORY ..` runs the installed command on each file, in an empty home.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure(path):
    """One row of the table."""
    command = [sys.executable, "-m", "headway.cli", "optimize", str(path.resolve()), "--json"]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE)
        document = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        took_s = time.perf_counter() - began
    share = document["gain"].get("share_of_possible")
    return (
        f"| {path.name} | {document['records']['read']:,} | {took_s:.0f} | "
        f"{usage.ru_utime + usage.ru_stime:.0f} | {usage.ru_maxrss / 1e6:.2f} | "
        f"{'' if share is None else f'{share:.2f}'} | {status} | "
        f"{'; '.join(document['could_not_judge'])} |"
    )


if __name__ == "__main__":
    print("| history | records | s | CPU s | peak GB | share of possible | status | not judged |")
    print("|---|---|---|---|---|---|---|---|")
    for name in sys.argv[1:]:
        print(measure(Path(name)), flush=True)
