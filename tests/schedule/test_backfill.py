import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headway.schedule.backfill import next_backfill, next_narrow, reservation, spare_at

ROWS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 50)), max_size=60)


@given(rows=ROWS, first=st.integers(0, 5), free=st.integers(0, 9), spare=st.integers(0, 9))
def test_scans_find_what_a_plain_search_finds(rows, first, free, spare):
    procs = np.array([n for n, _ in rows], np.int32)
    believed_s = np.array([r for _, r in rows], float)
    last = len(rows)
    first = min(first, last)
    may = [i for i in range(first, last) if procs[i] <= free]
    assert next_narrow(procs, first, last, free) == min(may, default=last)
    may = [i for i in may if believed_s[i] <= 20.0 or procs[i] <= spare]
    assert next_backfill(procs, believed_s, first, last, free, spare, 20.0) == min(
        may, default=last
    )


def test_a_reservation_is_at_the_end_that_makes_room():
    end_s, procs = np.array([5.0, 8.0, 9.0]), np.array([2, 3, 4])
    assert reservation(end_s, procs, 3, 1, 5, 0.0) == (8.0, 1, True)


def test_no_end_is_believed_to_be_sooner_than_a_second():
    end_s, procs = np.array([5.0, 80.0]), np.array([2, 3])
    assert reservation(end_s, procs, 2, 1, 3, 20.0) == (21.0, 0, True)


def test_slots_decide_what_is_spare_when_ends_share_a_moment():
    end_s, procs = np.array([8.0, 8.0]), np.array([2, 4])
    assert reservation(end_s, procs, 2, 0, 2, 0.0) == (8.0, 0, False)
    assert spare_at(8.0, end_s, procs, 2, 0, 2, 0.0) == 0
    assert spare_at(8.0, end_s, procs[::-1].copy(), 2, 0, 2, 0.0) == 2
