import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headway.features.rows import KEYS, NUMBERS, TAGS, WIDTH, WORDS, Book, rows_of, words_of
from headway.records import Task

words = st.one_of(st.none(), st.sampled_from(["a", "b2", "c_d-3"]))
tasks = st.builds(
    lambda **fields: Task(cluster="c", id="1", submitted_s=5.0, **fields),
    user=words, name=words, tag=words, queue=words, workflow=words,
    memory_requested_bytes=st.sampled_from([None, 0, 1 << 50]),
    limit_s=st.sampled_from([None, 60.0]), nodes=st.sampled_from([None, 2]),
    parents=st.sampled_from([(), ("7", "8")]), state=st.sampled_from(["unknown", "failed"]),
)  # fmt: skip


def empty_books():
    return {word: Book() for word in WORDS}


@given(st.lists(tasks, max_size=4))
def test_rows_of_many_tasks_are_those_of_each(queue):
    books = empty_books()
    books["user"]["b2"] = 0
    together = rows_of(queue, books.values())
    assert together.shape == (len(queue), WIDTH)
    for row, task in zip(together, queue, strict=True):
        assert np.array_equal(row, rows_of((task,), books.values())[0], equal_nan=True)
    assert books == empty_books() | {"user": {"b2": 0}}


@given(tasks)
def test_a_row_holds_codes_then_amounts_then_codes_of_the_tag(task):
    books = empty_books()
    books["name"].update({"other": 0, "b2": 1})
    row = rows_of((task,), books.values())[0]
    number = dict(zip((*KEYS, *NUMBERS, *TAGS), row.tolist(), strict=True))
    assert number["name"] == {None: -1.0, "b2": 1.0}.get(task.name, 2.0)
    assert number["user"] == (-1.0 if task.user is None else 0.0)
    assert number["parents"] == len(task.parents)
    for name in ("memory_requested_bytes", "limit_s", "nodes", "started_s"):
        known = getattr(task, name)
        assert np.isnan(number[name]) if known is None else number[name] == known


def test_words_are_the_name_without_digits_and_the_beginnings_of_the_tag():
    task = Task(cluster="c", id="1", submitted_s=0.0, user="u", name="job17", tag="__x.y")
    said = dict(zip(WORDS, words_of(task), strict=True))
    assert {word: text for word, text in said.items() if text is not None} == {
        "user": "u", "name": "job17", "stem": "job", "tag_1": "x", "tag_2": "x y",
    }  # fmt: skip
