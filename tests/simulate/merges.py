"""Made-up clusters of different sizes with tasks of their own, for tests of several clusters."""

import numpy as np

from headway.schedule.siblings import nobody
from headway.simulate.batch import Course
from headway.simulate.lublin import lublin
from headway.simulate.merged import merged
from headway.simulate.structures import Jobs

DAY_S = 86400.0


def crowded(seed, procs=(32, 64), jobs=300, load=1.2):
    """A course for each cluster; predicted runtimes are off, requests three times as long."""
    rng = np.random.default_rng(seed)
    courses = []
    for total in procs:
        work = lublin(rng, jobs, total, load=load)
        value_s = work.runtime_s * rng.lognormal(0.0, 0.7, jobs)
        asked_s = 3.0 * np.maximum(value_s, work.runtime_s)
        courses.append(
            Course(
                Jobs(
                    work.submit_s, work.runtime_s, work.procs, value_s, asked_s, 2.0 * value_s,
                    asked_s, work.submit_s,
                ),
                nobody(), total, np.arange(jobs // 2),
            )
        )  # fmt: skip
    return courses


def window(seed=0, **settings):
    """All tasks of such clusters."""
    courses = crowded(seed, **settings)
    return merged(courses, [0] * len(courses), 1000 * DAY_S)
