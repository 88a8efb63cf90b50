"""A small history of our own making: users whose tasks recur, on a machine that is too small."""

import numpy as np

HEADER = "; Version: 2.2\n; UnixStartTime: 1000000000\n; MaxNodes: 16\n; MaxProcs: 16\n"


def swf_text(tasks: int = 400, seed: int = 0) -> str:
    """A history in the Standard Workload Format; half of the tasks end far before their limit."""
    rng = np.random.default_rng(seed)
    submit_s = np.sort(rng.uniform(0, tasks * 900, tasks)).astype(int)
    lines = [HEADER]
    for i in range(tasks):
        user = int(rng.integers(0, 5))
        procs = int(2 ** rng.integers(0, 5))
        is_short = rng.random() < (0.9 if user < 2 else 0.1)
        run_s = int(rng.lognormal(3.0 if is_short else 7.5, 0.4)) + 1
        wait_s = int(rng.exponential(600))
        memory_kb = 1000 * (user + 1) + int(rng.integers(0, 100))
        lines.append(
            f"{i + 1} {submit_s[i]} {wait_s} {run_s} {procs} {run_s * 0.8:.1f} {memory_kb} {procs} "
            f"14400 20000 1 {user} 1 {user % 3} 1 1 -1 -1\n"
        )
    return "".join(lines)
