import pytest

from headway.tables import frame
from headway.verify.requests import compare_requests


def made(**columns):
    row = {
        "cluster": "c", "id": "1", "attempt": 1, "submitted_s": 0.0, "started_s": 0.0,
        "ended_s": 3600.0, "cpus_requested": 2.0, "state": "completed",
    }  # fmt: skip
    return frame("task", [row | columns])


def test_waste_is_what_was_held_and_not_used():
    tasks = made(
        limit_s=7200.0, cpu_s=1800.0, memory_requested_bytes=4 * 10**9, memory_peak_bytes=10**9
    )
    found = compare_requests(tasks, price_core_hour=2.0, price_gb_hour=10.0)
    assert found["time"]["over_requested_core_h"] == pytest.approx(2.0)
    assert found["cores"]["wasted_core_h"] == pytest.approx(1.5)
    assert found["cores"]["cost"] == pytest.approx(3.0)
    assert found["memory"]["wasted_gb_h"] == pytest.approx(3.0)
    assert found["memory"]["cost"] == pytest.approx(30.0)
    assert found["memory"]["share_over"] == 0.0


def test_what_the_history_lacks_is_said():
    found = compare_requests(made(), 1.0, 1.0)
    for part in ("time", "cores", "memory"):
        assert found[part]["known_tasks"] == 0
        assert found[part]["why"]
