"""Real runs of four programs with 1 or 2 workers, four memory limits and four input sizes.

`scaling_runs.py OUT.csv`: every run is a process of its own under RLIMIT_AS, twice, in shuffled
order; a run that finds too little memory ends with a MemoryError and is written down as failed.
What `configure.py scaling` is measured on. The machine has 2 cores, so 8 configurations are all
there is. Others use them too: elapsed times swung by a factor of 7, so a runtime is the processor
time on the critical path, that of the parent and of its slowest worker (of BLAS: over its threads),
which is what the run takes where nobody else computes; waiting for memory buses stays in it.
"""

import csv
import itertools
import os
import random
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

WORKERS = (1, 2)
MEMORY_MB = (208, 272, 384, 640)
SIZES_MB = {"sort": (12, 24, 48, 96), "compress": (0.75, 1.5, 3, 6), "multiply": (4.5, 8, 18, 32),
            "count": (1.5, 3, 6, 12)}  # fmt: skip
REPEATS = 2
MB = 1 << 20


def sort(megabytes, seed):
    """Sort that many megabytes of random numbers, stably, beside the original."""
    import numpy as np

    values = np.random.default_rng(seed).random(int(megabytes * MB / 8))
    order = np.argsort(values, kind="stable")
    return float(values[order][0])


def compress(megabytes, seed):
    """Compress that many megabytes of noisy text, a piece at a time."""
    import zlib

    import numpy as np

    rng, packer, total = np.random.default_rng(seed), zlib.compressobj(6), 0
    for _ in range(int(megabytes * 4)):
        piece = rng.integers(97, 105, MB // 4, dtype=np.uint8).tobytes()
        total += len(packer.compress(piece))
    return total


def multiply(megabytes, seed):
    """Multiply two square matrices of that many megabytes, three times; threads are BLAS's own."""
    import numpy as np

    n = int((megabytes * MB / 8) ** 0.5)
    a = np.random.default_rng(seed).random((n, n))
    for _ in range(3):
        a = a @ a
        a /= a.max()
    return float(a[0, 0])


def count(megabytes, seed):
    """Count the distinct words of that many megabytes of text in a dictionary."""
    rng, seen = random.Random(seed), {}
    for _ in range(int(megabytes * MB / 12)):
        word = f"word{rng.randrange(10**7):08d}"
        seen[word] = seen.get(word, 0) + 1
    return len(seen)


def seconds_of(program, megabytes, seed):
    """Processor seconds of one share of the work."""
    began = time.process_time()
    globals()[program](megabytes, seed)
    return time.process_time() - began


def work(program, megabytes, workers):
    """What the measured process does; seconds of its critical path."""
    if program == "multiply" or workers == 1:
        globals()[program](megabytes, 0)
        return time.process_time() / workers
    with ProcessPoolExecutor(workers) as pool:
        shares = [megabytes / workers] * workers
        slowest = max(pool.map(seconds_of, [program] * workers, shares, range(workers)))
    return time.process_time() + slowest


def timed(program, megabytes, workers, memory_mb):
    """Seconds of one run and whether it failed."""
    threads = str(workers if program == "multiply" else 1)
    env = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    command = [sys.executable, __file__, "--run", program, str(megabytes), str(workers)]

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb * MB, memory_mb * MB))

    done = subprocess.run(command, env=env, preexec_fn=limit, capture_output=True, text=True)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else 0.0, done.returncode != 0


def measure(out):
    """Run everything and write a row a run."""
    plan = [
        (program, size, workers, memory)
        for program, sizes in SIZES_MB.items()
        for size, workers, memory in itertools.product(sizes, WORKERS, MEMORY_MB)
    ] * REPEATS
    random.Random(0).shuffle(plan)
    with open(out, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["task", "input_bytes", "cpus", "memory_bytes", "runtime_s", "failed"])
        for program, size, workers, memory in plan:
            runtime_s, has_failed = timed(program, size, workers, memory)
            row = (
                program,
                int(size * MB),
                workers,
                memory * MB,
                f"{runtime_s:.4f}",
                int(has_failed),
            )
            rows.writerow(row)
            file.flush()


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        print(work(sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
    else:
        measure(sys.argv[1])
