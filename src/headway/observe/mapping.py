"""Which column of a table is which field of a task, from the columns' names and content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from headway.errors import ConfigError
from headway.observe.fields import duration_s, moment_s, number, size_bytes, state
from headway.records import task_fields

DERIVED: Final = ("wait_s", "runtime_s", "allocated_cpu_s", "allocated_wait_s")
"""What a table may hold instead of a task's own fields; the last two are summed over processors."""

ALIASES: Final[dict[str, str]] = {
    "id": "jobid taskid id jobidraw job task jobnumber uuid",
    "attempt": "attempt",
    "submitted_s": "submitted submit submittime submitat submittedat submittedtime submission "
    "submissiontime submittedtimeoffset submitoffset ctime creationtime createtime createdat "
    "created creation queued queuedat qtime etime arrival arrivaltime timestamp",
    "started_s": "started start starttime startat startedat begin begintime starttimestamp "
    "scheduledtime",
    "ended_s": "ended end endtime endat endedat finish finished finishtime finishedat complete "
    "completed completion completiontime endtimestamp stop stoptime deletiontime",
    "wait_s": "wait waittime waiting waitingtime queuewait queuetime pendingtime delay",
    "runtime_s": "runtime elapsed elapsedraw realtime run runningtime actruntime actualruntime "
    "usedwalltime walltimeused wallclock wallclocktime walltime executiontime exectime duration",
    "limit_s": "limit timelimit timelimitraw reqwalltime reqtime reqruntime requestedtime "
    "requestedwalltime requestedruntime walltimelimit walltimereq timerequested walltimerequested "
    "walltime",
    "cpus_requested": "cpusrequested reqcpus requestedcpus reqcores requestedcores coresrequested "
    "procsrequested requestedprocs reqprocs cpus cores ncpus ncores numcpus numcores cpucount "
    "procs nprocs numprocs processors slots cpumilli reqnodes",
    "cpus_allocated": "cpusallocated alloccpus allocatedcpus alloccores allocatedcores execslots "
    "coresallocated procsallocated allocatedprocs allocprocs ncpus",
    "nodes": "nodes nnodes allocnodes numnodes nodecount nodeamount reqnodes nodect reqnodect",
    "gpus": "gpus ngpus numgpus numgpu gpucount reqgpus allocgpus",
    "memory_requested_bytes": "memoryrequested reqmem memrequested memreq requestedmemory "
    "requestedmem memoryrequest memoryreq memorylimit memlimit memory mem",
    "memory_peak_bytes": "memorypeak maxrss peakrss peakmemory peakmem memused usedmem usedmemory "
    "memoryused maxmemory maxmem rss",
    "memory_sampled_bytes": "",
    "cpu_s": "usedcput cput cputime cputimeused totalcpu cpuseconds cpu",
    "read_bytes": "rchar bytesread totalread maxdiskread diskread ioread",
    "input_bytes": "input inputsize totalinput inputfilesize",
    "state": "state status jobstate taskstate podphase finalstate outcome result",
    "exit_code": "exitcode exitstatus exit returncode rc",
    "user": "user username userid uid owner submitter",
    "group": "group groupname groupid gid",
    "project": "project account accountname allocation projectid",
    "workflow": "workflow workflowname pipeline dag dagid",
    "name": "name jobname taskname process app appname application executable tool toolid program",
    "tag": "tag sample samplename",
    "queue": "queue queuename partition partitionname",
    "node": "node nodename hostname host nodelist exechost machine",
    "container": "container image",
    "parents": "parents dependencies dependson",
    "allocated_cpu_s": "cputimeraw",
    "allocated_wait_s": "resvcpuraw",
}
"""Field -> names it goes by, best first, in lower case without signs and units."""

_VIRTUAL: Final = {
    "memory_requested_bytes": "reqvmem vmemrequested requestedvmem",
    "memory_peak_bytes": "usedvmem vmemused peakvmem maxvmsize",
}
_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0,
    "min": 60.0, "mins": 60.0, "minutes": 60.0, "h": 3600.0, "hours": 3600.0, "hrs": 3600.0,
    "b": 1.0, "bytes": 1.0, "kb": 1024.0, "kib": 1024.0, "mb": 2.0**20, "mib": 2.0**20,
    "gb": 2.0**30, "gib": 2.0**30,
}  # fmt: skip
_TIMES: Final = ("submitted_s", "started_s", "ended_s")
_DURATIONS: Final = ("wait_s", "runtime_s", "limit_s", "cpu_s", *DERIVED[2:])
_SIZES: Final = (
    "memory_requested_bytes", "memory_peak_bytes", "memory_sampled_bytes", "read_bytes",
    "input_bytes",
)  # fmt: skip
NUMBERS: Final = ("cpus_requested", "cpus_allocated", "nodes", "gpus", "exit_code", "attempt")


@dataclass(slots=True)
class Mapped:
    """Field -> column, and what one unit of the column is in seconds or bytes."""

    column: dict[str, str]
    unit: dict[str, float] = field(default_factory=dict)
    is_plain: dict[str, bool] = field(default_factory=dict)  # nothing but numbers in the sample

    def value(self, name: str) -> pl.Expr:
        """The field's value of each row, as float or text; null where not known."""
        if name not in self.column:
            return pl.lit(None, pl.String if name not in _MEASURED else pl.Float64)
        text = pl.col(self.column[name])
        unit = self.unit.get(name, 1.0)
        if self.is_plain.get(name):
            return number(text) * unit
        if name in _TIMES:
            return moment_s(text, unit)
        if name in _DURATIONS:
            return duration_s(text, unit)
        if name in _SIZES:
            return size_bytes(text, unit)
        if name == "state":
            return state(text)
        if name == "exit_code":
            return number(text.str.extract(r"^(-?\d+)"))
        return _processors(text) * unit if name in NUMBERS else text


_MEASURED: Final = (*_TIMES, *_DURATIONS, *_SIZES, *NUMBERS)


def map_columns(sample: pl.DataFrame, overrides: Mapping[str, str]) -> Mapped:
    """The best column for each field; overrides {column: field}, a field '' leaves it out.

    A column is taken for a number or time only if most of its sampled texts can be read as one.
    """
    _check(sample.columns, overrides)
    mapped = Mapped({name: column for column, name in overrides.items() if name})
    free = [c for c in sample.columns if c not in overrides]
    aliases = {name: known.split() for name, known in ALIASES.items()}
    if _is_virtual(sample, free):
        aliases |= {name: known.split() for name, known in _VIRTUAL.items()}
    for name, known in aliases.items():
        if name == "runtime_s" and {"started_s", "ended_s"} <= set(mapped.column):
            known.remove("walltime")  # the run is known: this is its limit
        if name not in mapped.column:
            found = _best(sample, free, [_key(name), *known], name)
            if found is not None:
                mapped.column[name] = found
                free.remove(found)
    for name, column in mapped.column.items():
        mapped.unit[name] = _unit(name, column, sample[column])
        mapped.is_plain[name] = name in _MEASURED and _share(sample, number(pl.col(column))) == 1.0
    return mapped


def _check(columns: list[str], overrides: Mapping[str, str]) -> None:
    allowed = (*task_fields(), *DERIVED)
    for column, name in overrides.items():
        if column not in columns:
            known = ", ".join(columns[:40])
            raise ConfigError(f"there is no column {column!r} to map; the columns are {known}")
        if name and name not in allowed:
            raise ConfigError(
                f"{column!r} cannot be mapped to {name!r}; fields: {', '.join(allowed)}"
            )
    named = [name for name in overrides.values() if name]
    for name in named:
        if named.count(name) > 1:
            columns_of = " and ".join(repr(c) for c, n in overrides.items() if n == name)
            raise ConfigError(f"{columns_of} are mapped to one field, {name!r}; map one of them")


def _best(sample: pl.DataFrame, free: list[str], known: list[str], name: str) -> str | None:
    for alias in known:
        for column in free:
            if alias in (_key(column), _bare(column)):
                if (name, alias) == ("cpus_requested", "reqnodes") and not _has_ppn(sample[column]):
                    continue  # nodes, not processors
                value = Mapped({name: column}).value(name)
                if name not in _MEASURED or _share(sample.select(column), value) > 0.5:
                    return column
    return None


def _has_ppn(sample: pl.Series) -> bool:
    return bool(sample.str.contains("ppn=", literal=True).any())


def _share(sample: pl.DataFrame, value: pl.Expr) -> float:
    """Which share of the texts that are there could be read; 1 if none is there."""
    column = value.meta.root_names()[0]
    there = sample.filter(pl.col(column).is_not_null())
    if not there.height:
        return 1.0
    return 1.0 - there.select(value.is_null().sum()).item() / there.height


def _is_virtual(sample: pl.DataFrame, free: list[str]) -> bool:
    """Are memory requests mostly of virtual memory: then the peak must be virtual too."""
    asked = _best(sample, free, _VIRTUAL["memory_requested_bytes"].split(), "user")
    real = _best(sample, free, ALIASES["memory_requested_bytes"].split(), "user")
    if asked is None:
        return False
    return real is None or 2 * sample[real].count() < sample[asked].count()


def _key(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())


def _bare(column: str) -> str:
    """A name without the unit behind it: used_vmem_b -> usedvmem."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower())
    words = [w for w in words if w]
    return "".join(words[:-1] if len(words) > 1 and words[-1] in _UNITS else words)


def _unit(name: str, column: str, sample: pl.Series) -> float:
    """What one is: by the unit behind the name, else by the size of the numbers."""
    if _key(column) == "timelimitraw":
        return 60.0
    if _key(column) == "cpumilli":
        return 1e-3
    word = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower())[-1]
    if word in _UNITS and name in (*_TIMES, *_DURATIONS, *_SIZES):
        return _UNITS[word]
    middle = sample.str.strip_chars().cast(pl.Float64, strict=False).median()
    if name not in _TIMES or not isinstance(middle, float):
        return 1.0
    return 1e-9 if middle > 1e17 else 1e-6 if middle > 1e14 else 1e-3 if middle > 1e11 else 1.0


def _processors(text: pl.Expr) -> pl.Expr:
    """A number, or the processors of a PBS request such as 4:ppn=8."""
    parts = text.str.extract_groups(r"^(\d+):ppn=(\d+)")
    first, second = (parts.struct.field(i).cast(pl.Float64, strict=False) for i in ("1", "2"))
    return pl.coalesce(number(text), first * second)
