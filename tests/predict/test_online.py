import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.predict.by_name import ByName
from headway.predict.online import Online
from headway.protocols import Features
from headway.records import Task


def features(names, sizes):
    values = np.column_stack([names, sizes]).astype(float).reshape(-1, 2)
    return Features(("name", "input_bytes"), values, ("name",), np.zeros(len(values)), "1")


def learn(online, x, y):
    online.learn(x, np.asarray(y, float), np.zeros(len(y), dtype=bool))


def test_nothing_seen_is_refused_and_a_new_name_is_answered_from_all():
    online = Online()
    assert online.predict(features([0], [1])).refused[0] != ""
    learn(online, features([0], [1]), [5.0])
    answer = online.predict(features([0, 7], [1, 1]))
    assert answer.made_by.tolist() == ["online-1/name", "online-1/all"]
    assert len(online.predict(features([], [])).value) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(1, 1e9), st.floats(0.01, 1e9)), max_size=60))
@settings(max_examples=40, deadline=None)
def test_learning_in_one_call_or_many_is_equal_and_quantiles_do_not_cross(rows):
    x, y = features([r[0] for r in rows], [r[1] for r in rows]), [r[2] for r in rows]
    once, many = Online(), Online()
    learn(once, x, y)
    for i in range(len(rows)):
        learn(many, x.take(slice(i, i + 1)), y[i : i + 1])
    asked = features([0, 1, 2, 3, 9], [1.0, 1e3, 1e6, 1e12, np.nan])
    a, b = once.predict(asked), many.predict(asked)
    np.testing.assert_array_equal(a.quantiles, b.quantiles)
    assert np.all(np.diff(a.quantiles[a.refused == ""], axis=1) >= 0)


def test_the_promised_memory_suffices_as_often_as_promised():
    # 600 tasks of five laws: 95 % +- 2 points is more than two standard deviations (0.9 points)
    rng = np.random.default_rng(0)
    names, sizes = rng.integers(0, 5, 600), np.exp(rng.normal(15.0, 1.2, 600))
    laws = [3e7 + 3 * sizes, 2e7 + 0.5 * sizes, 4e7 + 200 * sizes**0.8, np.full(600, 5e7)]
    y = np.choose(names, [*laws, np.exp(rng.normal(17.5, 0.6, 600))])
    y *= np.exp(rng.normal(0.0, 0.05, 600))
    online, upper = Online(), np.full(600, np.nan)
    for i in range(600):
        x = features(names[i : i + 1], sizes[i : i + 1])
        upper[i] = online.predict(x).quantiles[0, online.levels.tolist().index(0.95)]
        learn(online, x, y[i : i + 1])
    assert abs(np.mean(y[1:] <= upper[1:]) - 0.95) < 0.02
    assert np.nanmedian(upper / y) < 1.2


def test_a_bound_teaches_only_where_it_exceeds_what_was_believed():
    online, bound = Online(), np.ones(1, dtype=bool)
    learn(online, features([0] * 5, [1] * 5), [10.0] * 5)
    x = features([0], [1])
    before = online.predict(x).value[0]
    online.learn(x, np.array([5.0]), bound)
    assert online.predict(x).value[0] == before
    online.learn(x, np.array([40.0]), bound)
    assert online.predict(x).value[0] > before


def test_beliefs_age_with_the_logarithm_of_what_was_seen():
    beliefs, ages = ByName(), []
    for i in range(100):
        task = Task(
            cluster="c", id=str(i), name="n", submitted_s=0.0, started_s=1.0, ended_s=2.0,
            state="completed", memory_peak_bytes=100,
        )  # fmt: skip
        beliefs.learn(task)
        ages.append(beliefs.age("n"))
    changed = [i + 1 for i in range(100) if i == 0 or ages[i] != ages[i - 1]]
    assert changed == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96]


def test_what_waits_in_a_block_is_saved_too():
    x = features([0] * 20, np.arange(1, 21) * 1e6)
    online = Online(every=8)
    learn(online, x.take(slice(0, 12)), np.arange(1.0, 13.0))
    other = Online.load(online.save())
    assert other.rows_to_refit() == online.rows_to_refit() == 4
    for one in (online, other):
        learn(one, x.take(slice(12, 20)), np.arange(13.0, 21.0))
    np.testing.assert_array_equal(online.predict(x).quantiles, other.predict(x).quantiles)
