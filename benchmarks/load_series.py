"""A panel of hourly cluster-load series for the forecast benchmarks.

VMs of Bitbrains (every fifth odd-numbered VM of which 95 % of the hours are known and whose use
varies), machines of Alibaba 2018, the AWS series of NAB, and demand that is counted from three
scheduler logs. Each keeps its last 61 days. The series are from different years; all are moved to
end at the same hour: long ones by whole weeks, those of less than 20 days by whole days.
"""

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

HOUR_S = 3600.0
DAYS = 61
HELD_OUT = 0.3  # the last share of each series' time
HORIZON = 24
_DAY, _WEEK = 24, 168
_LOGS = ("HPC2N-2002-2.2-cln", "SDSC-BLUE-2000-4.2-cln", "CTC-SP2-1996-3.1-cln")


def load_panel(folder, part):
    """Names, at_s (n_steps,), y (n_steps, n_series), first held-out step (n_series,).

    part 'tuning' is what lies before the held-out time, of which again the last 30 % count as
    such; 'held_out' is all.
    """
    folder = Path(folder)
    named = {}
    for read in (_bitbrains, _alibaba, _aws, _logs):
        named |= read(folder)
    last = max(first + len(y) for first, y in _bitbrains(folder).values())
    cut = [_last(*pair, last, part) for pair in named.values()]
    steps = max(map(len, cut))
    panel = np.full((steps, len(cut)), np.nan)
    for column, y in enumerate(cut):
        panel[steps - len(y) :, column] = y
    held_out = np.array([steps - round(HELD_OUT * len(y)) for y in cut])
    return tuple(named), (last - steps + np.arange(steps)) * HOUR_S, panel, held_out


def origins(steps, held_out, count=12, apart=16):
    """Steps from which 24 hours are forecast, and which series are scored there (n_series,)."""
    starts = [steps - HORIZON - apart * k for k in range(count)][::-1]
    return [(start, start >= held_out) for start in starts if np.any(start >= held_out)]


def _last(first_hour, y, last, part):
    """The last days of one series, to an hour like `last`, without held-out time for tuning."""
    is_long = len(y) >= 20 * _DAY
    y = y[: len(y) - (first_hour + len(y) - last) % (_WEEK if is_long else _DAY)]
    y = y[-DAYS * _DAY :]
    if part == "held_out":
        return y
    return y[: len(y) - _DAY * -(-round(HELD_OUT * len(y)) // _DAY)]


def _rows(path):
    """The rows of a packed CSV file as dictionaries."""
    with gzip.open(path, "rt") as file:
        yield from csv.DictReader(file)


def _seconds(text):
    """UTC epoch seconds of '2014-02-14 14:30:00'."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _hourly(at_s, values):
    """The first hour and the mean of each hour (n,), NaN where nothing was seen."""
    hours = np.asarray(at_s, dtype=np.float64) // HOUR_S
    first = int(hours.min())
    place = (hours - first).astype(np.int64)
    seen = np.bincount(place)
    total = np.bincount(place, weights=np.asarray(values, dtype=np.float64))
    return first, np.where(seen > 0, total / np.maximum(seen, 1), np.nan)


def _bitbrains(folder):
    """CPU use of VMs."""
    by_vm = {}
    for row in _rows(folder / "timeseries/bitbrains_rnd/hourly_cpu_mem_odd_vms.csv.gz"):
        if row["cpu_pct"]:
            by_vm.setdefault(int(row["vm"]), []).append(row)
    series = {}
    for vm, rows in sorted(by_vm.items()):
        first, y = _hourly(
            [_seconds(row["ts"]) for row in rows], [float(r["cpu_pct"]) for r in rows]
        )
        last = y[-DAYS * 24 :]
        varies = len(np.unique(np.round(last[np.isfinite(last)], 1))) > 20
        if len(last) == DAYS * 24 and np.isfinite(last).mean() > 0.95 and varies:
            series[f"bitbrains vm {vm}"] = first, y
    return {name: pair for i, (name, pair) in enumerate(series.items()) if i % 5 == 0}


def _alibaba(folder):
    """Five means over all machines, eight days without a date."""
    path = "timeseries/datacenter_traces/alibaba2018/machine_usage_days_1_to_8_grouped_300_seconds"
    rows = list(_rows(folder / f"{path}.csv.gz"))
    at_s = np.arange(len(rows)) * 300.0
    return {
        f"alibaba {name}": _hourly(at_s, [float(row[name] or "nan") for row in rows])
        for name in rows[0]
    }


def _aws(folder):
    """CPU, network, disk and requests of single services."""
    series = {}
    for path in sorted((folder / "timeseries/nab/data/realAWSCloudwatch").glob("*.csv.gz")):
        rows = list(_rows(path))
        series[f"aws {path.name.removesuffix('.csv.gz')}"] = _hourly(
            [_seconds(row["timestamp"]) for row in rows], [float(row["value"]) for row in rows]
        )
    return series


def _logs(folder):
    """Arrivals, core hours asked, cores in use and tasks waiting, of three clusters."""
    series = {}
    for name in _LOGS:
        table, start_s = _swf(folder / f"scheduling/swf/{name}.swf.gz")
        submit_s = start_s + table[:, 1]
        begin_s, cores = submit_s + table[:, 2], table[:, 4]
        end_s = begin_s + table[:, 3]
        asked = np.maximum(table[:, 8], 0.0) * cores / HOUR_S
        first = int(submit_s.min() // HOUR_S)
        hours = int(submit_s.max() // HOUR_S) - first  # the last hour is not whole
        place = (submit_s // HOUR_S).astype(np.int64) - first
        short = name.split("-20")[0].split("-19")[0]
        for kind, y in {
            "arrivals": np.bincount(place, minlength=hours),
            "core hours asked": np.bincount(place, weights=asked, minlength=hours),
            "cores in use": _mean_in_use(begin_s, end_s, cores, first, hours),
            "tasks waiting": _mean_in_use(submit_s, begin_s, np.ones(len(cores)), first, hours),
        }.items():
            series[f"{short} {kind}"] = first, y[:hours].astype(np.float64)
    return series


def _swf(path):
    """The table (n, 18) of a workload archive trace and the second at which it starts."""
    start_s = 0.0
    with gzip.open(path, "rt") as file:
        for line in file:
            if not line.startswith(";"):
                break
            if "UnixStartTime:" in line:
                start_s = float(line.split(":")[1])
    return np.loadtxt(path, comments=";"), start_s


def _mean_in_use(begin_s, end_s, amount, first, hours):
    """Mean amount held in each hour, (hours,)."""
    edges = (first + np.arange(hours + 1)) * HOUR_S
    held = np.zeros(hours + 1)  # amount times seconds up to each edge
    for times, sign in ((begin_s, 1.0), (end_s, -1.0)):
        order = np.argsort(times, kind="stable")
        t, a = times[order], amount[order]
        before = np.searchsorted(t, edges)
        total, moment = np.r_[0.0, np.cumsum(a)], np.r_[0.0, np.cumsum(a * t)]
        held += sign * (edges * total[before] - moment[before])
    return np.diff(held) / HOUR_S
