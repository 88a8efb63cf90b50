"""Textbook EASY in plain Python, as slow and as plain as it can be."""

import math

import numpy as np

STEPS_S = (60, 300, 900, 1800, 3600, 7200, 18000, 36000, 72000, 180000, 360000)


class Textbook:
    """key_at(j, wait_s): the key of a task that has waited so long.

    on_end(j, waiting): called for each task that ends, in order of ends, ties by arrival.
    """

    def __init__(
        self, workload, key_at, backfills_by_key, reserve_s, backfill_s, grows=False, on_end=None
    ):
        self.on_end = on_end
        self.workload, self.key_at, self.by_key = workload, key_at, backfills_by_key
        self.reserve_s, self.backfill_s, self.grows = reserve_s, backfill_s, grows
        self.start_s, self.believed_s, self.grown = np.full(len(workload), math.nan), {}, {}
        self.slots, self.waiting, self.free = [], [], workload.total_procs

    def start_times(self, backfills=True):
        submit_s, arrived = self.workload.submit_s, 0
        while arrived < len(submit_s) or self.slots:
            arrivals = [submit_s[arrived]] if arrived < len(submit_s) else []
            self.now_s = min([self.end_of(j) for j in self.slots] + arrivals)
            while arrived < len(submit_s) and submit_s[arrived] <= self.now_s:
                self.waiting.append(arrived)
                arrived += 1
            self.release()
            head = self.start_heads()
            if head is not None and backfills:
                self.grow()
                self.start_others(head)
        return self.start_s

    def end_of(self, j):
        return self.start_s[j] + self.workload.runtime_s[j]

    def release(self):
        slot = 0
        ended = [(self.end_of(j), j) for j in self.slots if self.end_of(j) <= self.now_s]
        for _, j in sorted(ended) if self.on_end else []:
            self.on_end(j, self.waiting)
        while slot < len(self.slots):
            j = self.slots[slot]
            if self.end_of(j) <= self.now_s:
                self.free += self.workload.procs[j]
                self.slots[slot] = self.slots[-1]
                self.slots.pop()
            else:
                slot += 1

    def start(self, j):
        self.start_s[j] = self.now_s
        self.free -= self.workload.procs[j]
        self.slots.append(j)
        self.waiting.remove(j)
        self.believed_s[j], self.grown[j] = self.now_s + self.reserve_s[j], 0

    def in_order(self):
        waited_s = self.now_s - self.workload.submit_s
        return sorted(self.waiting, key=lambda j: (self.key_at(j, waited_s[j]), j))

    def start_heads(self):
        for j in self.in_order():
            if self.workload.procs[j] > self.free:
                return j
            self.start(j)
        return None

    def grow(self):
        for j in self.slots if self.grows else []:
            limit_s = self.start_s[j] + self.workload.requested_s[j]
            while self.believed_s[j] <= self.now_s and self.believed_s[j] < limit_s:
                step = STEPS_S[min(self.grown[j], len(STEPS_S) - 1)]
                self.believed_s[j] = min(self.believed_s[j] + step, limit_s)
                self.grown[j] += 1

    def reserve(self, head):
        there, reserved_s, needed = self.free, self.now_s, self.workload.procs[head]
        ends = {j: max(self.believed_s[j], self.now_s + 1.0) for j in self.slots}
        for j in sorted(self.slots, key=ends.get):  # stable: slots decide among equal ends
            if there >= needed:
                break
            there, reserved_s = there + self.workload.procs[j], ends[j]
        return reserved_s, there - needed

    def start_others(self, head):
        reserved_s, spare = self.reserve(head)
        for j in self.in_order() if self.by_key else sorted(self.waiting):
            procs, is_short = self.workload.procs[j], self.backfill_s[j] <= reserved_s - self.now_s
            if j != head and procs <= self.free and (is_short or procs <= spare):
                spare -= 0 if is_short else procs
                self.start(j)
