"""The running history of every key, moved on by one compiled function, one event at a time.

All that is remembered lies in four arrays, so that a history can be saved, copied and compared:
`slots` (one row a key: counts, means and two rings of recent values), `tickets` (one row a task
that waits or runs), `table` (hash -> slot) and `counters`. Replay hands `advance` all events of a
trace, serving hands it one; nothing else computes a feature.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

SUBMIT, LOOK, START, END = 0, 1, 2, 3
"""Kinds of event; LOOK writes the features of a moment and changes nothing."""

RING: Final = 24
"""How many recent values of a key its quantiles are of."""

# fields of a slot
_SUBMITTED, _WAITING, _RUNNING, _SUM_STARTED, _LAST_SUBMIT, _LAST_END = 0, 1, 2, 3, 4, 5
_HEAD, _TAIL, _BURST, _N, _LAST, _BEFORE = 6, 7, 8, 9, 10, 11
_SUM_LOG, _SUM_LOG2, _EWMA, _JUMP, _FAILED, _TIMEOUT, _SHORT, _USE = 12, 13, 14, 15, 16, 17, 18, 19
_N_MEMORY, _MEMORY_LAST, _MEMORY_SUM, _MEMORY_SUM2, _MEMORY_MAX, _MEMORY_USE = (
    20,
    21,
    22,
    23,
    24,
    25,
)
_ENDED, _BURST_ENDED, _BURST_SUM, _MEMORY_SLOPE = 26, 27, 28, 29
_RUNTIME_LAW, _MEMORY_LAW = 30, 35  # five sums each: weight, x, y, x x, x y
_FIELDS: Final = 40
_RUNTIME_RING: Final = _FIELDS
_RUNTIME_SORTED: Final = _RUNTIME_RING + RING
_MEMORY_RING: Final = _RUNTIME_SORTED + RING
_MEMORY_SORTED: Final = _MEMORY_RING + RING
SLOT_WIDTH: Final = _MEMORY_SORTED + RING

STATISTICS: Final = (
    "ended", "last_s", "before_s", "mean_log", "ewma_log", "std_log", "jump_log",
    "min_s", "p25_s", "median_s", "p75_s", "p90_s", "max_s",
    "failed_share", "timeout_share", "short_share", "use_share",
    "since_end_s", "since_submit_s", "burst", "burst_ended", "burst_mean_log",
    "waiting", "running", "oldest_s", "youngest_s", "mean_elapsed_s",
    "memory_ended", "memory_last_bytes", "memory_mean_log", "memory_std_log", "memory_median_bytes",
    "memory_p90_bytes", "memory_max_bytes", "memory_use_share", "memory_per_input",
    "law_log", "memory_law_log",
)  # fmt: skip
"""What is told of each key, in the order in which it is written."""

# fields of a ticket before its (slot, next, previous) triples
_STARTED: Final = 0
_TICKET_FIELDS: Final = 1

_BURST_GAP_S: Final = 600.0  # submissions closer than this belong to one burst
_SHORT_S: Final = 60.0
_MEMORY_S: Final = 0.15  # weight of the newest value in running shares and means
_LAW_KEEP: Final = 0.98  # weight of an outcome in a law after the next one
_LAW_SLOPE: Final = 0.7  # believed exponent of the size of the input, worth _LAW_PRIOR
_LAW_PRIOR: Final = 1.0
_LAW_STEEPEST: Final = 1.3


def ticket_width(families: int) -> int:
    """The number of fields of a ticket that belongs to so many families of keys."""
    return _TICKET_FIELDS + 3 * families


# columns of what `prepare` reads, after the eight keys
_CPUS, _GIVEN, _LIMIT, _MEMORY, _INPUT, _SUBMIT_S = 10, 11, 14, 15, 16, 17
_START_S, _END_S, _PEAK, _STATE, _TAG = 18, 19, 20, 21, 22
_USER, _QUEUE = 0, 6
_SIZE: Final = 15  # column of `values` with the size of the input
_QUEUES: Final = 1 << 40  # where the codes of queues begin among users
_FAILED_STATE, _TIMEOUT_STATE, _OUT_OF_MEMORY_STATE = 3, 4, 5


@njit(cache=True)
def prepare(raw: Floats, values: Floats, statics: int) -> tuple[Integers, Floats]:
    """Key parts (n, 13) and outcomes (n, 7) of encoded tasks raw (n, 25); statics into values.

    The processors asked for are those given where a log keeps only these: a rigid task is given
    what it asked for. A task without a user belongs to its queue.
    """
    parts = np.zeros((len(raw), 13), dtype=np.int64)
    outcomes = np.empty((len(raw), 7))
    for i in range(len(raw)):
        r, v, p, o = raw[i], values[i], parts[i], outcomes[i]
        v[:] = np.nan
        v[:10] = r[:10]
        p[1:9] = r[:8]
        if r[_USER] < 0 and r[_QUEUE] >= 0:
            p[1] = _QUEUES + np.int64(r[_QUEUE])
        cpus = r[_GIVEN] if math.isnan(r[_CPUS]) else r[_CPUS]
        v[10], v[11], v[12] = cpus, r[12], r[13]
        v[13], v[14], v[15] = r[_LIMIT], r[_MEMORY], r[_INPUT]
        day = r[_SUBMIT_S] / 86400.0
        v[16] = (day - math.floor(day)) * 24.0
        v[17] = (math.floor(day) + 3.0) % 7.0  # 0 = Monday
        v[18], v[19] = cpus * r[_LIMIT], r[_MEMORY] / cpus
        v[20:23] = r[_TAG : _TAG + 3]
        p[9] = -1 if math.isnan(cpus) else np.int64(cpus * 1000.0)
        p[10] = -1 if math.isnan(r[_LIMIT]) else np.int64(r[_LIMIT])
        p[11] = -1 if math.isnan(r[_MEMORY]) else np.int64(r[_MEMORY] / 1024.0)
        p[12] = -1 if math.isnan(r[_INPUT]) else np.int64(r[_INPUT])
        runtime = r[_END_S] - r[_START_S]
        o[0], o[1], o[2] = runtime, r[_LIMIT], r[_PEAK]
        o[3], o[4] = r[_MEMORY], r[_INPUT]
        is_timeout = r[_STATE] == _TIMEOUT_STATE or runtime >= 0.99 * r[_LIMIT]
        is_failed = r[_STATE] == _FAILED_STATE or r[_STATE] == _OUT_OF_MEMORY_STATE
        o[5], o[6] = 1.0 if is_failed else 0.0, 1.0 if is_timeout else 0.0
    return parts, outcomes


@njit(cache=True)
def rehash(old: Hashes, new: Hashes) -> None:
    """Enter all keys of a table into a larger, empty one."""
    mask = new.shape[0] - 1
    for i in range(len(old)):
        if old[i, 0] != 0:
            place = np.int64(old[i, 0] & np.uint64(mask))
            while new[place, 0] != 0:
                place = (place + 1) & mask
            new[place] = old[i]


@njit(cache=True)
def _mixed(x: np.uint64) -> np.uint64:
    """A well-spread hash of 64 bits. Source: Steele et al. (2014), splitmix64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def _slot_of(
    parts: Integers,
    row: int,
    family: int,
    families: Integers,
    table: Hashes,
    slots: Floats,
    counters: Integers,
    adds: bool,
) -> int:
    """The slot of a row's key in a family: -1 = this row has none, -2 = not seen before."""
    if parts[row, families[family, 0]] < 0:
        return -1
    h = _mixed(np.uint64(family + 1))
    for column in families[family]:
        if column >= 0:
            h = _mixed(h ^ np.uint64(parts[row, column] + 2))
    if h == np.uint64(0):
        h = np.uint64(1)
    mask = table.shape[0] - 1
    place = np.int64(h & np.uint64(mask))
    while table[place, 0] != 0:
        if table[place, 0] == h:
            return int(np.int64(table[place, 1]))
        place = (place + 1) & mask
    if not adds:
        return -2
    slot = int(counters[0])
    counters[0] += 1
    table[place, 0] = h
    table[place, 1] = np.uint64(slot)
    slots[slot] = 0.0
    for field in (_LAST_SUBMIT, _LAST_END, _LAST, _BEFORE, _EWMA, _USE, _MEMORY_LAST, _MEMORY_MAX):
        slots[slot, field] = np.nan
    for field in (_HEAD, _TAIL):
        slots[slot, field] = -1.0
    for field in (_MEMORY_USE, _MEMORY_SLOPE, _FAILED, _TIMEOUT, _SHORT):
        slots[slot, field] = np.nan
    return slot


@njit(cache=True)
def _ring_put(s: Floats, ring: int, in_order: int, n: int, value: float) -> None:
    """Put a value into a ring of recent values and its sorted twin; n were put before."""
    size = min(n, RING)
    place = ring + n % RING
    if n >= RING:  # take the oldest out of the sorted twin
        oldest = s[place]
        i = in_order
        while s[i] != oldest:
            i += 1
        for j in range(i, in_order + RING - 1):
            s[j] = s[j + 1]
        size = RING - 1
    s[place] = value
    i = in_order + size
    while i > in_order and s[i - 1] > value:
        s[i] = s[i - 1]
        i -= 1
    s[i] = value


@njit(cache=True)
def _followed(old: float, new: float) -> float:
    """A running mean moved towards a new value; the first value is taken as it is."""
    return new if math.isnan(old) else old + _MEMORY_S * (new - old)


@njit(cache=True)
def _law_put(s: Floats, law: int, size: float, log: float) -> None:
    """Put an outcome of an input of a size into the sums of a law."""
    x = math.log1p(size)
    for i in range(5):
        s[law + i] *= _LAW_KEEP
    s[law] += 1.0
    s[law + 1] += x
    s[law + 2] += log
    s[law + 3] += x * x
    s[law + 4] += x * log


@njit(cache=True)
def _law_at(s: Floats, law: int, size: float) -> float:
    """The log of the target that a power of the input's size foretells; NaN without outcomes.

    Source: Hoerl, Kennard (1970), ridge regression, here towards a believed exponent.
    """
    n = s[law]
    if n == 0.0 or not size > 0.0:
        return math.nan
    mean_x, mean_y = s[law + 1] / n, s[law + 2] / n
    among = s[law + 4] - n * mean_x * mean_y + _LAW_PRIOR * _LAW_SLOPE
    slope = among / (max(s[law + 3] - n * mean_x * mean_x, 0.0) + _LAW_PRIOR)
    slope = min(max(slope, 0.0), _LAW_STEEPEST)
    return max(mean_y + slope * (math.log1p(size) - mean_x), 0.0)


@njit(cache=True)
def _describe(s: Floats, tickets: Floats, now: float, inputs: float, out: Floats) -> None:
    """Write what is known of one key at a moment, for a task with inputs of this size."""
    n = int(s[_N])
    out[0] = s[_ENDED]
    if n > 0:
        size = min(n, RING)
        mean = s[_SUM_LOG] / n
        out[1], out[2], out[3], out[4] = s[_LAST], s[_BEFORE], mean, s[_EWMA]
        out[5] = math.sqrt(max(s[_SUM_LOG2] / n - mean * mean, 0.0))
        out[6] = s[_JUMP]
        at = _RUNTIME_SORTED
        out[7], out[8] = s[at], s[at + (size - 1) // 4]
        out[9], out[10] = s[at + (size - 1) // 2], s[at + (3 * (size - 1) + 3) // 4]
        out[11], out[12] = s[at + (9 * (size - 1) + 9) // 10], s[at + size - 1]
        out[15], out[16] = s[_SHORT], s[_USE]
    out[13], out[14] = s[_FAILED], s[_TIMEOUT]
    out[17], out[18] = now - s[_LAST_END], now - s[_LAST_SUBMIT]
    continues = now - s[_LAST_SUBMIT] <= _BURST_GAP_S
    out[19] = s[_BURST] if continues else 0.0
    out[20] = s[_BURST_ENDED] if continues else 0.0
    if continues and s[_BURST_ENDED] > 0:
        out[21] = s[_BURST_SUM] / s[_BURST_ENDED]
    out[22], out[23] = s[_WAITING], s[_RUNNING]
    if s[_RUNNING] > 0:
        out[24] = now - tickets[int(s[_HEAD]), _STARTED]
        out[25] = now - tickets[int(s[_TAIL]), _STARTED]
        out[26] = now - s[_SUM_STARTED] / s[_RUNNING]
    n = int(s[_N_MEMORY])
    out[27] = s[_N_MEMORY]
    if n > 0:
        size = min(n, RING)
        mean = s[_MEMORY_SUM] / n
        out[28], out[29] = s[_MEMORY_LAST], mean
        out[30] = math.sqrt(max(s[_MEMORY_SUM2] / n - mean * mean, 0.0))
        out[31] = s[_MEMORY_SORTED + (size - 1) // 2]
        out[32] = s[_MEMORY_SORTED + (9 * (size - 1) + 9) // 10]
        out[33], out[34], out[35] = s[_MEMORY_MAX], s[_MEMORY_USE], s[_MEMORY_SLOPE]
    out[36], out[37] = _law_at(s, _RUNTIME_LAW, inputs), _law_at(s, _MEMORY_LAW, inputs)


@njit(cache=True)
def _describe_unseen(out: Floats) -> None:
    """Write what is known of a key that was never seen: its counts are zero."""
    for column in (0, 19, 20, 22, 23, 27):
        out[column] = 0.0


@njit(cache=True)
def _count_submit(s: Floats, now: float) -> None:
    """One more task of this key waits."""
    if now - s[_LAST_SUBMIT] <= _BURST_GAP_S:
        s[_BURST] += 1.0
    else:
        s[_BURST], s[_BURST_ENDED], s[_BURST_SUM] = 1.0, 0.0, 0.0
    s[_SUBMITTED] += 1.0
    s[_WAITING] += 1.0
    s[_LAST_SUBMIT] = now


@njit(cache=True)
def _count_start(s: Floats, family: int, tickets: Floats, ticket: int, now: float) -> None:
    """One task of this key runs now; it joins the end of the key's list of running tasks."""
    link = _TICKET_FIELDS + 3 * family
    tickets[ticket, link + 1], tickets[ticket, link + 2] = -1.0, s[_TAIL]
    if s[_TAIL] >= 0:
        tickets[int(s[_TAIL]), link + 1] = ticket
    else:
        s[_HEAD] = ticket
    s[_TAIL] = ticket
    s[_WAITING] -= 1.0
    s[_RUNNING] += 1.0
    s[_SUM_STARTED] += now


@njit(cache=True)
def _leave(s: Floats, family: int, tickets: Floats, ticket: int) -> None:
    """A task of this key stops running or waiting."""
    started = tickets[ticket, _STARTED]
    if math.isnan(started):
        s[_WAITING] -= 1.0
        return
    link = _TICKET_FIELDS + 3 * family
    after, before = tickets[ticket, link + 1], tickets[ticket, link + 2]
    if before >= 0:
        tickets[int(before), link + 1] = after
    else:
        s[_HEAD] = after
    if after >= 0:
        tickets[int(after), link + 2] = before
    else:
        s[_TAIL] = before
    s[_RUNNING] -= 1.0
    s[_SUM_STARTED] -= started


@njit(cache=True)
def _count_end(s: Floats, now: float, outcome: Floats) -> None:
    """Add an outcome (runtime, limit, peak, memory request, inputs, failed, timeout) to a key."""
    runtime, limit, peak, request = outcome[0], outcome[1], outcome[2], outcome[3]
    inputs, failed, timeout = outcome[4], outcome[5], outcome[6]
    s[_LAST_END] = now
    s[_ENDED] += 1.0
    s[_FAILED] = _followed(s[_FAILED], failed)
    s[_TIMEOUT] = _followed(s[_TIMEOUT], timeout)
    if runtime >= 0:
        log = math.log1p(runtime)
        n = int(s[_N])
        if n > 0:
            s[_JUMP] = s[_JUMP] + (0.3 if n > 2 else 1.0 / n) * (abs(log - s[_EWMA]) - s[_JUMP])
        s[_BEFORE], s[_LAST] = s[_LAST], runtime
        s[_EWMA] = log if n == 0 else s[_EWMA] + 0.4 * (log - s[_EWMA])
        s[_SUM_LOG] += log
        s[_SUM_LOG2] += log * log
        s[_SHORT] = _followed(s[_SHORT], 1.0 if runtime < _SHORT_S else 0.0)
        if limit > 0:
            s[_USE] = _followed(s[_USE], runtime / limit)
        _ring_put(s, _RUNTIME_RING, _RUNTIME_SORTED, n, runtime)
        s[_N] += 1.0
        s[_BURST_ENDED] += 1.0
        s[_BURST_SUM] += log
        if inputs > 0:
            _law_put(s, _RUNTIME_LAW, inputs, log)
    if peak >= 0:
        log = math.log1p(peak)
        n = int(s[_N_MEMORY])
        s[_MEMORY_LAST] = peak
        s[_MEMORY_MAX] = peak if n == 0 else max(s[_MEMORY_MAX], peak)
        s[_MEMORY_SUM] += log
        s[_MEMORY_SUM2] += log * log
        if request > 0:
            s[_MEMORY_USE] = _followed(s[_MEMORY_USE], peak / request)
        if inputs > 0:
            s[_MEMORY_SLOPE] = _followed(s[_MEMORY_SLOPE], peak / inputs)
            _law_put(s, _MEMORY_LAW, inputs, log)
        _ring_put(s, _MEMORY_RING, _MEMORY_SORTED, n, peak)
        s[_N_MEMORY] += 1.0


@njit(cache=True)
def advance(
    first: int, kinds: Integers, rows: Integers, at_s: Floats, parts: Integers, outcomes: Floats,
    families: Integers, row_tickets: Integers, slots: Floats, tickets: Floats, table: Hashes,
    counters: Integers, values: Floats, begin: int,
) -> int:  # fmt: skip
    """Apply events from `first` on in their order and write the history at each SUBMIT or LOOK.

    Gives the number of the first event that was not applied for want of room: the caller makes
    `slots`, `table` or `tickets` larger and calls again; m = all are done.
    kinds, rows, at_s (m,); parts (n, p) integer key parts of the n tasks, below 0 = null;
    outcomes (n, 7) as in `_count_end`, read only at a task's END; families (f, k) columns of parts
    that make a key, padded with -1; row_tickets (n,) is kept up to date; counters = (slots used,
    tickets free); values (n, begin + f * len(STATISTICS)) as `prepare` left them: NaN stays where
    there is no history. A free ticket's first field is the number of the next free one.
    """
    width = len(STATISTICS)
    for event in range(first, len(kinds)):
        kind, row, now = kinds[event], rows[event], at_s[event]
        if kind == SUBMIT:
            ticket = int(counters[1])
            if ticket < 0 or counters[0] + families.shape[0] > slots.shape[0]:
                return event
            counters[1] = np.int64(tickets[ticket, _STARTED])
            row_tickets[row] = ticket
            tickets[ticket, _STARTED] = np.nan
        else:
            ticket = int(row_tickets[row])
        for family in range(families.shape[0]):
            link = _TICKET_FIELDS + 3 * family
            if kind in (SUBMIT, LOOK):
                slot = _slot_of(
                    parts, row, family, families, table, slots, counters, kind == SUBMIT
                )
                if slot >= 0:
                    out = values[row, begin + family * width :]
                    _describe(slots[slot], tickets, now, values[row, _SIZE], out)
                elif slot == -2:
                    _describe_unseen(values[row, begin + family * width :])
                if kind == SUBMIT:
                    tickets[ticket, link] = slot
                    if slot >= 0:
                        _count_submit(slots[slot], now)
                continue
            slot = int(np.int64(tickets[ticket, link]))
            if slot < 0:
                continue
            if kind == START:
                _count_start(slots[slot], family, tickets, ticket, now)
            else:
                _leave(slots[slot], family, tickets, ticket)
                _count_end(slots[slot], now, outcomes[row])
        if kind == START:
            tickets[ticket, _STARTED] = now
        elif kind == END:
            tickets[ticket, _STARTED] = counters[1]
            counters[1] = ticket
            row_tickets[row] = -1
    return len(kinds)
