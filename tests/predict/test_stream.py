import json

import numpy as np
from tests.predict.made_up import taught

from headway.predict.stream import Stream

ANCHORS = ("user.ewma_log", "all.ewma_log")
X, Y = taught(1500)
FREE = np.zeros(len(Y), dtype=bool)


def made(n=1200, **settings):
    member = Stream(["cpus", "input_bytes"], anchors=ANCHORS, cap="limit_s", **settings)
    member.learn(X.take(slice(0, n)), Y[:n], FREE[:n])
    return member


def test_it_covers_about_what_it_says():
    # gradient steps of 0.01 have come about 1200 * 0.01 = 12 log units far: enough for all levels
    member = made()
    estimate = member.predict(X.take(slice(1200, 1500)))
    assert np.mean(np.abs(np.log(estimate.value / Y[1200:]))) < 0.35  # a perfect median: 0.24
    covered = np.mean(Y[1200:, None] <= estimate.quantiles, axis=0)
    np.testing.assert_allclose(covered, member.levels, atol=0.1)


def test_our_answer_is_that_of_the_river_models_one_row_at_a_time():
    member = made(100)
    rows, anchored = member._window.rows(X.take(slice(100, 103)))
    names, quantiles = member._names(), member.predict(X.take(slice(100, 103))).quantiles
    for i, row in enumerate(member._inputs(rows, anchored)):
        placed = member._scaler.transform_one(dict(zip(names, row.tolist(), strict=True)))
        placed = {name: min(max(x, -5.0), 5.0) for name, x in placed.items()}
        logs = sorted(anchored[i] + model.predict_one(placed) for model in member._models)
        np.testing.assert_allclose(np.log1p(quantiles[i]), logs, rtol=1e-9)


def test_an_outcome_counts_at_once_or_when_its_block_is_full():
    rows = X.take(slice(1200, 1210))
    now, later = made(101), made(101, every=50)
    assert (now.rows_to_refit(), later.rows_to_refit()) == (1, 49)
    before = later.predict(rows).quantiles
    for member in (now, later):
        member.learn(X.take(slice(101, 102)), Y[101:102], FREE[101:102])
    np.testing.assert_array_equal(later.predict(rows).quantiles, before)
    assert np.any(now.predict(rows).quantiles != made(101).predict(rows).quantiles)


def test_a_lower_bound_below_a_level_leaves_that_level_alone():
    member, bound = made(300), np.ones(1, dtype=bool)
    before = json.loads(member.save()["stream.json"])["models"]
    member.learn(X.take([300]), np.array([0.001]), bound)
    assert json.loads(member.save()["stream.json"])["models"] == before
    member.learn(X.take([300]), np.array([1e9]), bound)
    assert json.loads(member.save()["stream.json"])["models"] != before


def test_what_it_has_learned_is_plain_numbers_and_no_row_is_replayed():
    words = json.loads(made(300).save()["stream.json"])
    assert len(words["models"]) == 5
    assert all(isinstance(w, float) for weights, _ in words["models"] for w in weights.values())
