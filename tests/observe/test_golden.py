"""Small histories in, exact tasks out: `python tests/observe/test_golden.py` writes them anew."""

import json
from pathlib import Path

import pytest
from tests.observe.histories import whole

FOLDER = Path(__file__).parent.parent / "golden" / "histories"
EXPECTED = FOLDER / "expected.jsonl"
HISTORIES = sorted(p.name for p in FOLDER.iterdir() if p != EXPECTED)


def said(name):
    """What is read of a history: one JSON line a record, without what is not known."""
    tasks, bad, facts = whole(FOLDER / name)
    lines = [{"facts": facts.format, "total_cpus": facts.total_cpus, "doubts": list(facts.doubts)}]
    lines += [
        {k: v for k, v in row.items() if v not in (None, [])}
        for row in [*tasks.iter_rows(named=True), *bad.iter_rows(named=True)]
    ]
    return [json.dumps({"history": name, **line}, sort_keys=True) for line in lines]


@pytest.mark.parametrize("name", HISTORIES)
def test_a_golden_history_is_read_as_ever(name):
    expected = [
        line for line in EXPECTED.read_text().splitlines() if json.loads(line)["history"] == name
    ]
    assert said(name) == expected


if __name__ == "__main__":
    EXPECTED.write_text("".join(line + "\n" for name in HISTORIES for line in said(name)))
