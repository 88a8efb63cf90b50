import json

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.history import open_traces
from headway.report.trained_elastic import trained_elastic_screen
from headway.schedule.elastic_file import load_elastic
from headway.simulate.elastic import Terms
from headway.simulate.elastic_batch import Prices
from headway.train.autoscaler import train_autoscaler


def trace_file(path, days, seed=0):
    """Tasks of a machine of 16 processors, ten a day."""
    rng = np.random.default_rng(seed)
    at_s = np.sort(rng.integers(0, days * 86400, days * 10))
    lines = ["; MaxProcs: 16", "; UnixStartTime: 1000000000"]
    for i, at in enumerate(at_s):
        run, procs = int(rng.integers(60, 7200)), int(rng.integers(1, 9))
        lines.append(f"{i + 1} {at} 0 {run} {procs} -1 -1 {procs} {2 * run} -1 1 1 1 1 1 1 -1 -1")
    path.write_text("\n".join(lines) + "\n")
    return open_traces([path])[0]


def train(trace, out, **options):
    settings = {"per_node": 2, "terms": Terms(most=0), "prices": Prices(), "decisions": 1}
    return train_autoscaler(
        trace, out, clock=lambda: 0.0, progress=lambda what, share: None, **settings | options
    )


def test_training_writes_a_policy_and_says_what_it_brought(tmp_path):
    trace = trace_file(tmp_path / "made.swf", days=90)
    document = train(trace, tmp_path / "elastic.npz")
    assert json.dumps(document)
    assert document["terms"]["most"] == 32
    assert document["proof"]["weeks"] == 5
    assert document["weekly"][document["rule"]["kind"]] == document["proof"]["incumbent"]
    learned = load_elastic(tmp_path / "elastic.npz")
    assert learned.trained_on == "made.swf"
    assert learned.decisions == document["decisions"]
    screen = trained_elastic_screen(document)
    assert "5 later weeks" in screen
    assert "0 to 32, booting 240 s" in screen


def test_what_cannot_be_trained_is_refused(tmp_path):
    trace = trace_file(tmp_path / "short.swf", days=20)
    with pytest.raises(NotEnoughData, match="spans 20 days; training needs 36"):
        train(trace, tmp_path / "elastic.npz")
    with pytest.raises(ConfigError, match="per_node must be positive"):
        train(trace, tmp_path / "elastic.npz", per_node=0)
