"""A server that is killed (-9) and started again, while clients ask until they are answered."""

import pytest
from benchmarks.kill_drill import audit, drill

pytest.importorskip("msgspec")
pytest.importorskip("granian")


def test_nothing_that_was_acknowledged_is_lost_or_counted_twice_by_kill_9(tmp_path):
    told = drill(tmp_path, kills=2, steps=("half written", "segment new"), clients=3, seed=0)
    found = audit(tmp_path, told)
    wrong = {
        name: n
        for name, n in found.items()
        if n and name.split()[-1] in ("lost", "asked", "reported", "expired", "records", "kept")
    }
    assert wrong == {}
    assert found["decisions acknowledged"] > 50
    assert found["outcomes acknowledged"] > 25
    assert found["requests asked again"] > 0
    assert found["segments"] > 2
