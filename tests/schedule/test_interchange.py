import numpy as np
import pytest

from headway.schedule.interchange import write_onnx
from headway.schedule.learned import learned_named
from headway.schedule.network import scores
from headway.schedule.observation import COMMON, FEATURES, VERSION

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("policy") / "policy.onnx"
    write_onnx(learned_named("learned:default"), path)
    assert list(path.parent.iterdir()) == [path]
    return onnx.load(path)


@pytest.mark.parametrize("tasks", [1, 128])
def test_the_model_scores_a_queue_of_any_length_as_headway_does(model, tasks):
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(tasks)
    x, common = rng.normal(size=(tasks, len(FEATURES))), rng.normal(size=len(COMMON))
    given = {"x": x.astype(np.float32), "common": common[None].astype(np.float32)}
    (found,) = ReferenceEvaluator(model).run(None, given)
    expected = scores(learned_named("learned:default").network, x, common)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found.argmax() == expected.argmax()


def test_the_model_says_what_it_wants_to_be_told(model):
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["features"].split(",") == list(FEATURES)
    assert said["common"].split(",") == list(COMMON)
    assert said["version"] == VERSION
