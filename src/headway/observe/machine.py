"""What this machine can give to new tasks: processors and memory."""

from __future__ import annotations

import contextlib
import os


def available_cpus() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def available_memory_bytes() -> int:
    """How much memory new tasks could take without swapping, container limits considered."""
    import psutil

    free = int(psutil.virtual_memory().available)
    for limit, used in _CGROUP_FILES:
        not_here = contextlib.suppress(OSError, ValueError)  # other kind of cgroup, or "max"
        with not_here, open(limit) as a, open(used) as b:
            free = min(free, max(int(a.read()) - int(b.read()), 0))
    return free


def resident_bytes(pid: int) -> int | None:
    """Memory that a process holds now; None where /proc is not there or the process is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def oom_kills() -> int:
    """How many processes the kernel has killed for memory so far; 0 if it does not say."""
    with contextlib.suppress(OSError, ValueError), open("/proc/vmstat") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


_CGROUP_FILES = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
