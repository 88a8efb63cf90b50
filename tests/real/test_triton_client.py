"""The client of NVIDIA Triton asks a Headway server, unchanged."""

import time

import numpy as np
import pytest
import tritonclient.http as triton
from tests.serve.made_home import make_home
from tests.serve.served import started, stopped
from tritonclient.utils import InferenceServerException

USERS = ["1", "2", "3"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("triton"), created_s=time.time() - 60.0)[0]


def inputs_of(is_raw):
    user = triton.InferInput("user", [3], "BYTES")
    user.set_data_from_numpy(np.array(USERS, dtype=object), binary_data=is_raw)
    cpus = triton.InferInput("cpus_requested", [3], "FP64")
    cpus.set_data_from_numpy(np.array([1.0, 2.0, 4.0]), binary_data=is_raw)
    return [user, cpus]


def test_the_triton_client_works_unchanged(home):
    process, port = started(home)
    client = triton.InferenceServerClient(f"127.0.0.1:{port}")
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.get_server_metadata()["name"] == "headway"
        for model in ("runtime", "memory", "size"):
            described = client.get_model_metadata(model)
            (version,) = described["versions"]
            assert client.is_model_ready(model, version)
            names = [output["name"] for output in described["outputs"]]
            said = [
                client.infer(model, inputs_of(is_raw), model_version=version, outputs=outputs)
                for is_raw in (True, False)
                for outputs in (
                    None,
                    [triton.InferRequestedOutput(name, binary_data=is_raw) for name in names],
                )
            ]
            for name in set(names) - {"decision_id"}:
                arrays = [np.asarray(one.as_numpy(name)) for one in said]
                assert name == "levels" or arrays[0].shape[0] == 3
                for array in arrays:
                    assert array.shape == arrays[0].shape
                    if array.dtype.kind == "f":
                        np.testing.assert_array_equal(array, arrays[0])
        assert not client.is_model_ready("nothing")
        wrong = triton.InferInput("nothing", [1], "FP64")
        wrong.set_data_from_numpy(np.array([1.0]))
        with pytest.raises(InferenceServerException, match="no input"):
            client.infer("runtime", [wrong])
    finally:
        client.close()
        assert stopped(process) == 0
