"""What `headway replay` shows on a terminal."""

from io import StringIO

import pytest
from rich.console import Console
from tests.predict.made_up import history

from headway.report.replay_screen import BOUND, best_of, replay_screen
from headway.verify.answers import answers
from headway.verify.baselines import CHEAP, HINDSIGHT, Given
from headway.verify.judge import rows
from headway.verify.replay import replay

TABLE = history(200)


def shown(content, width=80):
    stream = StringIO()
    Console(file=stream, width=width).print(replay_screen(content))
    return stream.getvalue()


@pytest.fixture(scope="module")
def memory():
    replayed = replay(TABLE, "memory_bytes")
    return replayed, answers(replayed, TABLE, names=[*CHEAP, HINDSIGHT])


def test_the_best_method_that_has_enough_is_marked_and_never_the_bound(memory):
    found = rows(memory[0], TABLE, memory[1])
    best = best_of(found)
    assert best["first_attempt_coverage"] >= 0.95
    assert best["method"] != BOUND == HINDSIGHT
    marked = [line for line in shown(found).splitlines() if line.startswith("*  ")]
    assert len(marked) == 1
    assert best["method"] in marked[0]


def test_no_line_is_wider_than_a_terminal(memory):
    text = shown(rows(memory[0], TABLE, memory[1]))
    assert max(map(len, text.splitlines())) <= 80
    assert "all: peak memory of" in text
    assert "intervals, promised and held" in text


def test_a_method_that_was_left_out_says_why(memory):
    replayed, said = memory
    left = Given(said.given["request"].first * float("nan"), why_not="left out: too slow")
    said = type(said)(said.seen, said.given | {"Sizey port": left}, said.us | {"Sizey port": None})
    text = shown(rows(replayed, TABLE, said))
    assert "Sizey port: left out: too slow." in text


def test_several_workflows_and_months_have_tables_of_their_own(memory):
    replayed, said = memory
    found = rows(replayed, TABLE, said)
    one, two = ([{**row, "workflow": name} for row in found] for name in ("a", "b"))
    text = shown([{"month": 1} | found[0], *one, *two, *found])
    assert [name for name in ("a: peak", "b: peak", "all: peak") if name in text] == [
        "a: peak", "b: peak", "all: peak",
    ]  # fmt: skip
    assert "month" in text


def test_runtimes_are_marked_by_their_error():
    replayed = replay(TABLE)
    found = rows(replayed, TABLE, answers(replayed, TABLE, names=CHEAP))
    text = shown(found)
    assert "mean error" in text
    assert best_of(found)["method"] in next(x for x in text.splitlines() if x.startswith("*  "))


def test_nothing_is_shown_of_nothing():
    assert "Nothing to show" in shown([])
