"""A mixture of many guesses of one number, its weights earned by what each guess was worth before.

Each row has k guesses, the logs of past outcomes of like tasks and of other predictors' quantiles
(NaN = this one is silent). A guess stands for a narrow Laplace density. How often a guess was
responsible for what came is counted in a chain of ever narrower contexts (all tasks, tasks in the
same situation, of the same user, ..), fading; the counts of a wide context are the prior of the
next narrower one. Replay hands `follow` all events of a block, serving hands it one.
Source: Cappe, Moulines (2009), online EM, for the weights of a mixture; MacKay, Peto (1995) for
the chain of Dirichlet priors; Gneiting (2011) for the point as the minimum of an expected loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from headway.predict.calibration import LEARN, SERVE
from headway.predict.past import BEYOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Counts = NDArray[np.float32]

MANY: Final = -2
"""Not one leader alone."""

_SCALE: Final = 0.12  # of the Laplace density of a guess, log units
_ELSEWHERE: Final = 1e-3  # density of outcomes that no guess foresaw
_UNKNOWN: Final = 1.0  # log spread believed beside that of the guesses before any outcome
_LEAST_WEIGHT: Final = 1e-6
_MEAN_OVER: Final = 2000.0  # outcomes over which the mean of the target is followed
_BUCKETS: Final = 64
_WAYS: Final = len(BEYOND)
_UNKNOWN_FADES: Final = 0.75  # power of the number of outcomes that it falls with


@njit(cache=True)
def _weights(
    guesses: Floats, ways: Integers, slots: Integers, sums: Counts, totals: Floats, prior: Floats,
    w: Floats,
) -> None:  # fmt: skip
    """Write the weights (k,) of a row's guesses in its chain of contexts into w.

    Those of tasks that last have none: nothing is to be learned about how long they will.
    """
    w[:] = 1.0 / len(w)
    for depth in range(len(slots)):
        own, worth = sums[slots[depth]], prior[depth]
        share = 1.0 / (totals[slots[depth]] + worth)
        for k in range(len(w)):
            w[k] = (own[k] + worth * w[k]) * share
    w[ways[1] : ways[2]] = 0.0
    total = 0.0
    for k in range(len(w)):
        if math.isnan(guesses[k]):
            w[k] = 0.0
        total += w[k]
    if total > 0.0:
        w /= total


@njit(cache=True)
def _outlast(guesses: Floats, w: Floats, ways: Integers, lasting: Floats, out: Floats) -> None:
    """Write weights (k,) into out: each running task is spread over what it can still become.

    What has ended so far are the short ones. One that runs counts like an outcome that lies among
    the guesses beyond its time so far, or in the open beyond it as if one more had ended there.
    Source: Efron (1967), self-consistency of the Kaplan-Meier estimate; one step of it, with the
    mean and the longest time so far for those of all (ours).
    """
    out[:] = w
    if not lasting[1] > 0.0:
        return
    ended = 1.0 if math.isnan(lasting[0]) else 1.0 + lasting[0]
    own, open_ = ended / (ended + lasting[1]), 1.0 / (ended + 1.0)
    out *= own
    begin = ways[1]
    for so_far in lasting[2:]:
        after, tail = math.log1p(so_far), 0.0
        for k in range(len(w)):
            if guesses[k] > after:
                tail += w[k]
        each = 0.5 * (1.0 - own) / (tail + open_)
        for k in range(len(w)):
            if guesses[k] > after:
                out[k] += each * w[k]
        for k in range(begin, begin + _WAYS):
            out[k] += each * open_ / _WAYS
        begin += _WAYS


@njit(cache=True)
def _below(guesses: Counts, guess: float) -> int:
    """How many of some guesses (n,) are below one."""
    count = 0
    for i in range(len(guesses)):
        count += guesses[i] < guess
    return count


@njit(cache=True)
def _sorted(
    guesses: Floats, w: Floats, ways: Integers, single: Counts, which: Integers,
    z: Floats, share: Floats, near: Floats,
) -> int:  # fmt: skip
    """Write the guesses that count, in order and equal ones as one, into z; how many.

    share is what they weigh together, near the same without those far from history. Guesses are
    equal that are so in single precision; counting those below each is quicker than to sort.
    """
    n, total, found = 0, 0.0, 0
    for k in range(len(w)):
        if w[k] > _LEAST_WEIGHT:
            single[n], which[n] = guesses[k], k
            total += w[k]
            n += 1
    share[:n], near[:n] = 0.0, 0.0
    for j in range(n):
        at, k = _below(single[:n], single[j]), which[j]
        z[at] = guesses[k]
        share[at] += w[k] / total
        if not ways[0] <= k < ways[1]:
            near[at] += w[k] / total
    for i in range(n):
        if share[i] > 0.0:
            z[found], share[found], near[found] = z[i], share[i], near[i]
            found += 1
    return found


@njit(cache=True)
def _near(z: Floats, share: Floats, near: Floats, n: int) -> int:
    """Keep of n sorted guesses those not far from history (all, if there is no other); how many."""
    kept, total = 0, 0.0
    for i in range(n):
        if near[i] > 0.0:
            z[kept], share[kept] = z[i], near[i]
            total += near[i]
            kept += 1
    if kept == 0:
        return n
    share[:kept] /= total
    return kept


@njit(cache=True)
def _read(z: Floats, share: Floats, n: int, levels: Floats, out: Floats) -> None:
    """Quantiles (q,) of n sorted guesses, linear between the middles of their shares."""
    i, below = 0, 0.0
    for q in range(len(levels)):
        while i < n and below + 0.5 * share[i] < levels[q]:
            below += share[i]
            i += 1
        if i == 0:
            out[q] = z[0]
        elif i == n:
            out[q] = z[n - 1]
        else:
            right = below + 0.5 * share[i]
            left = below - 0.5 * share[i - 1]
            out[q] = z[i - 1] + (z[i] - z[i - 1]) * (levels[q] - left) / (right - left)


@njit(cache=True)
def _widen(levels: Floats, count: float, out: Floats) -> None:
    """Move quantiles (q,) of logs apart: after few outcomes all guesses are of the same few."""
    apart = _UNKNOWN / 1.7 / (1.0 + count) ** _UNKNOWN_FADES
    for q in range(len(levels)):
        out[q] += apart * math.log(levels[q] / (1.0 - levels[q]))


@njit(cache=True)
def _point(z: Floats, share: Floats, n: int, unit: float, losses: Floats) -> float:
    """The guess, in the target's unit, with the least expected loss.

    The loss of p for y is 1 - min / max of the two, plus losses[0] where they lie in different
    powers of two, plus losses[1] |y - p| in units of `unit`.
    """
    near, y, bucket = np.empty(n), np.empty(n), np.empty(n, np.int64)
    closer = np.empty(n)  # min / max of each guess and the one below it
    mass, tail, last = np.zeros(_BUCKETS), 0.0, 1.0
    for i in range(n):  # sums of share x min / max, from the left and from the right
        exact = math.expm1(z[i])
        closer[i] = last / (1.0 + exact)
        last = 1.0 + exact
        tail = tail * closer[i] + share[i]
        near[i] = tail
        y[i] = np.rint(exact * 1e3) / 1e3  # 16 s are not 15.999.. s, in another power of two
        rest, power = math.frexp(max(y[i], 1.0))
        bucket[i] = min(power - 1 if rest == 0.5 else power, _BUCKETS - 1)
        mass[bucket[i]] += share[i]
    tail, whole = 0.0, 0.0
    for i in range(n - 1, -1, -1):
        near[i] += tail
        tail = (tail + share[i]) * closer[i]
        whole += share[i] * y[i]
    best, least, below, sum_below = 0, np.inf, 0.0, 0.0
    for i in range(n):
        below += share[i]
        sum_below += share[i] * y[i]
        away = y[i] * (2.0 * below - 1.0) + whole - 2.0 * sum_below
        loss = losses[1] * away / unit - near[i] - losses[0] * mass[bucket[i]]
        if loss < least:
            best, least = i, loss
    return float(y[best])


@njit(cache=True)
def _blame(guesses: Floats, log_y: float, is_bound: bool, w: Floats) -> None:
    """Turn weights (k,) into shares of the responsibility for an outcome, or for a lower bound."""
    total = 0.0
    for k in range(len(w)):
        if w[k] > 0.0:
            far = (log_y - guesses[k]) / _SCALE
            if is_bound:
                seen = 1.0 if far <= 0.0 else math.exp(-far)
            else:
                seen = 0.5 / _SCALE * math.exp(-abs(far))
            w[k] *= seen + _ELSEWHERE
            total += w[k]
    if total > 0.0:
        w /= total


@njit(cache=True)
def follow(
    kinds: Integers, rows: Integers, y: Floats, is_bound: NDArray[np.bool_], guesses: Floats,
    owners: Integers, ways: Integers, lasting: Floats, slots: Integers, sums: Counts,
    totals: Floats, prior: Floats, keep: Floats, losses: Floats, mean: Floats, levels: Floats,
    value: Floats, served: Floats, learned: Floats, leader: Integers,
) -> int:  # fmt: skip
    """Serve and learn rows in the order of the events; who leads all rows, MANY = not the same.

    guesses (n, k), the owner (k,) of each, ways (3,) and lasting (n, 4): which guesses are far
    and who runs (see `past`), slots (n, c) of each row's contexts; losses (2,): see `_point`.
    sums (s, k) and totals (s,) are the counts of all contexts, mean (2,) the mean of the target
    and how many it is of. Written: value (n,), served (n, q) quantiles and leader (n,), the owner
    with most weight, at a row's SERVE; learned (n, q) logs of quantiles at its LEARN, before it;
    elsewhere NaN and -1.
    """
    k = guesses.shape[1]
    lived, near = np.empty(k), np.empty(k)
    single, which = np.empty(k, np.float32), np.empty(k, np.int64)
    w, z, share, by_owner = np.empty(k), np.empty(k), np.empty(k), np.empty(owners.max() + 1)
    value[:], served[:], learned[:], leader[:] = math.nan, math.nan, math.nan, -1
    for event in range(len(kinds)):
        i = rows[event]
        if kinds[event] == LEARN and math.isnan(y[i]):
            continue
        _weights(guesses[i], ways, slots[i], sums, totals, prior, w)
        _outlast(guesses[i], w, ways, lasting[i], lived)
        n = _sorted(guesses[i], lived, ways, single, which, z, share, near)
        if kinds[event] == SERVE:
            if n > 0:
                _read(z, share, n, levels, served[i])
                _widen(levels, totals[slots[i, -2]], served[i])
                for q in range(len(levels)):
                    served[i, q] = max(math.expm1(served[i, q]), 0.0)
                n = _near(z, share, near, n)
                value[i] = _point(z, share, n, max(mean[0], 1.0), losses)
                by_owner[:] = 0.0
                for j in range(k):
                    by_owner[owners[j]] += w[j]
                leader[i] = np.argmax(by_owner)
            continue
        mean[1] = min(mean[1] + 1.0, _MEAN_OVER)
        known = max(y[i], 0.0)
        mean[0] += (known - mean[0]) / mean[1]
        if n > 0:
            _read(z, share, n, levels, learned[i])
            _widen(levels, totals[slots[i, -2]], learned[i])
            _blame(guesses[i], math.log1p(known), is_bound[i], w)
            for depth in range(slots.shape[1]):
                slot = slots[i, depth]
                totals[slot] = keep[depth] * totals[slot] + 1.0
                for j in range(k):
                    sums[slot, j] = keep[depth] * sums[slot, j] + w[j]
    for i in range(1, len(leader)):
        if leader[i] != leader[0]:
            return MANY
    return int(leader[0]) if len(leader) else MANY


@njit(cache=True)
def enter(quantiles: Floats, guesses: Floats, begin: int) -> int:
    """Write the logs of quantiles (n, q) into columns of guesses from `begin`; where they end."""
    for i in range(len(quantiles)):
        for k in range(quantiles.shape[1]):
            guesses[i, begin + k] = math.log1p(quantiles[i, k])
    return begin + quantiles.shape[1]
