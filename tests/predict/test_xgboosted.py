import numpy as np
from tests.predict.made_up import taught

from headway.features import NAMES
from headway.predict.xgboosted import XGBoosted

COLUMNS = [name for name in NAMES if ".memory_" not in name]
X, Y = taught(600)
FREE = np.zeros(len(Y), dtype=bool)


def made(**settings):
    return XGBoosted(COLUMNS, anchors=["user.ewma_log"], cap="limit_s", **settings)


def test_it_finds_what_users_have_in_common():
    # runtimes are log-normal around e^(4 + user): the error of the log of a perfect median is
    # 0.3 * 0.8 = 0.24 on average, of a constant 1.0
    member = made()
    member.learn(X.take(slice(0, 500)), Y[:500], FREE[:500])
    estimate = member.predict(X.take(slice(500, 600)))
    assert np.mean(np.abs(np.log(estimate.value / Y[500:]))) < 0.33
    covered = np.mean(Y[500:, None] <= estimate.quantiles, axis=0)
    assert covered[0] < 0.3 < covered[2] < 0.7 < covered[-1]


def test_fits_repeat_by_seed_and_differ_between_seeds():
    one, same, other = (made(seed=seed) for seed in (0, 0, 1))
    rows = X.take(slice(300, 310))
    for member in (one, same, other):
        member.learn(X.take(slice(0, 300)), Y[:300], FREE[:300])
    assert one.save() == same.save()
    assert np.any(one.predict(rows).quantiles != other.predict(rows).quantiles)


def test_it_refuses_until_the_first_fit_and_signs_with_the_number_of_the_fit():
    member = made(first_fit=60)
    member.learn(X.take(slice(0, 59)), Y[:59], FREE[:59])
    assert member.predict(X.take([0])).refused[0] == "fewer than 60 outcomes to learn from"
    member.learn(X.take([59]), Y[59:60], FREE[59:60])
    assert member.predict(X.take([0])).made_by[0] == "xgboosted-1"


def test_a_lower_bound_below_what_is_believed_teaches_nothing():
    x, half = X.take(slice(0, 300)), Y[:300] / 50.0
    bound = np.arange(300) % 2 == 1
    told = np.where(bound, half, Y[:300])  # every second outcome was cut early
    naive, aware = made(window=300), made(window=300)
    for member, censored in ((naive, FREE[:300]), (aware, bound)):
        for begin in (0, 50):  # the first fit is of what is whole
            part = slice(begin, 50 if begin == 0 else 300)
            y = Y[part] if begin == 0 else told[part]
            member.learn(x.take(part), y, censored[part] & (begin > 0))
    truth = Y[300:400]
    errors = [
        np.mean(np.abs(np.log(member.predict(X.take(slice(300, 400))).value / truth)))
        for member in (naive, aware)
    ]
    assert errors[1] < 0.5 * errors[0]
