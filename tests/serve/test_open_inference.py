"""The Open Inference Protocol v2, byte by byte."""

import http.client
import json
import math
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.made_home import make_home
from tests.serve.served import JSON, ask, started, stopped

from headway.errors import ConfigError
from headway.records import Task
from headway.serve import Advisor
from headway.serve.decisions import id_of, read_records

pytest.importorskip("granian")
tensors = pytest.importorskip("headway.serve.tensors")

USERS = ["1", "2", ""]
HEADER = "inference-header-content-length"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("v2"), created_s=time.time() - 60.0)[0]


@pytest.fixture(scope="module")
def port(home):
    process, port = started(home)
    yield port
    assert stopped(process) == 0


def words(name, values):
    return {"name": name, "shape": [len(values)], "datatype": "BYTES", "data": values}


def numbers(name, values):
    return {"name": name, "shape": [len(values), 1], "datatype": "FP64", "data": values}


def infer(port, model, inputs, *, headers=JSON, **more):
    return ask(port, f"/v2/models/{model}/infer", {"inputs": inputs} | more, headers=headers)


def outputs_of(said):
    return {one["name"]: one for one in said["outputs"]}


def test_server_and_models_say_what_they_are(port, home):
    status, _, said = ask(port, "/v2")
    assert (status, said["name"], said["extensions"]) == (200, "headway", ["binary_tensor_data"])
    assert ask(port, "/v2/health/live")[0] == ask(port, "/v2/health/ready")[0] == 200
    versions = dict(Advisor(home).models.versions)
    for name, version in (("runtime", versions["runtime"]), ("memory", versions["memory"]),
                          ("size", versions["sizing"])):  # fmt: skip
        status, _, said = ask(port, f"/v2/models/{name}")
        assert (status, said["name"], said["versions"]) == (200, name, [version])
        assert {"name": "user", "datatype": "BYTES", "shape": [-1]} in said["inputs"]
        assert ask(port, f"/v2/models/{name}/versions/{version}")[2] == said
        assert ask(port, f"/v2/models/{name}/ready")[2] == {"name": name, "ready": True}
        assert ask(port, f"/v2/models/{name}/versions/{version}/ready")[0] == 200
        assert ask(port, f"/v2/models/{name}/versions/v999999/ready")[0] == 404
    for path in ("/v2/models", "/v2/models/", "/v2/models/other", "/v2/models/runtime/x", "/v2/x"):
        assert ask(port, path)[0] == 404, path


@pytest.mark.parametrize("model", ["runtime", "memory"])
def test_rows_are_believed_what_the_models_say(port, home, model):
    inputs = [words("user", USERS), numbers("cpus_requested", [4, None, 2.0])]
    status, _, said = infer(port, model, inputs, id="my-7")
    assert (status, said["id"], said["model_name"]) == (200, "my-7", model)
    found = outputs_of(said)
    tasks = [
        Task(cluster="", id="", user=user or None, cpus_requested=cpus, submitted_s=0.0)
        for user, cpus in zip(USERS, [4.0, None, 2.0], strict=True)
    ]
    estimate, reason = Advisor(home).estimate(model, tasks, time.time())
    assert reason == ""
    believed = np.array(found["value"]["data"], dtype=float)
    np.testing.assert_allclose(believed, estimate.value, rtol=1e-6)
    shape = found["quantiles"]["shape"]
    assert shape == [3, len(found["levels"]["data"])] == list(estimate.quantiles.shape)
    assert found["made_by"]["data"] == estimate.made_by.tolist()
    assert found["refused"]["data"] == estimate.refused.tolist()


def test_a_size_is_a_decision_and_a_key_gives_it_again(port, home):
    inputs = [words("user", ["1", "2"]), numbers("memory_requested_bytes", [10**9, 10**9])]
    headers = JSON | {"idempotency-key": "k"}
    first = outputs_of(infer(port, "size", inputs, headers=headers)[2])
    assert outputs_of(infer(port, "size", inputs, headers=headers)[2]) == first
    assert first["decision_id"]["data"] == [id_of("k/0"), id_of("k/1")]
    kept = {r["decision_id"]: r for r in read_records(home) if r["kind"] == "decision"}
    given = [kept[id_]["memory_bytes"] for id_ in first["decision_id"]["data"]]
    assert first["memory_bytes"]["data"] == given
    other = [words("user", ["3", "2"])]
    assert infer(port, "size", other, headers=headers)[0] == 409


def test_raw_tensors_are_read_and_written(port):
    users = b"".join(struct.pack("<I", len(u)) + u.encode() for u in USERS)
    cpus = np.array([4.0, math.nan, 2.0]).tobytes()
    inputs = [words("user", USERS), numbers("cpus_requested", [4, None, 2])]
    plain = outputs_of(infer(port, "runtime", inputs)[2])
    raw_inputs = [
        {"name": "user", "shape": [3], "datatype": "BYTES",
         "parameters": {"binary_data_size": len(users)}},
        {"name": "cpus_requested", "shape": [3, 1], "datatype": "FP64",
         "parameters": {"binary_data_size": len(cpus)}},
    ]  # fmt: skip
    asked = {
        "inputs": raw_inputs,
        "outputs": [{"name": "value", "parameters": {"binary_data": True}}, {"name": "levels"},
                    {"name": "made_by", "parameters": {"binary_data": True}}],
    }  # fmt: skip
    head = json.dumps(asked).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(
        "POST", "/v2/models/runtime/infer", head + users + cpus, {HEADER: str(len(head))}
    )
    answer = connection.getresponse()
    body, length = answer.read(), int(answer.headers[HEADER])
    connection.close()
    said = outputs_of(json.loads(body[:length]))
    size = said["value"]["parameters"]["binary_data_size"]
    value = np.frombuffer(body[length : length + size])
    np.testing.assert_allclose(value, np.array(plain["value"]["data"], float), rtol=1e-6)
    assert said["levels"]["data"] == plain["levels"]["data"]
    left, names = body[length + size :], []
    while left:
        end = 4 + struct.unpack("<I", left[:4])[0]
        names.append(left[4:end].decode())
        left = left[end:]
    assert names == plain["made_by"]["data"]


BAD = [
    b"{", b"\xff", b"[" * 100_000, b'{"inputs": []}', b"{}",
    b'{"inputs": [{"name": "user", "shape": [1], "datatype": "BYTES", "data": ' + b"[" * 50_000,
    [words("users", ["1"])],
    [words("user", [1])],
    [numbers("cpus_requested", ["4"])],
    [words("cpus_requested", ["4"])],
    [numbers("cpus_requested", [-1])],
    [numbers("nodes", [1.5])],
    [numbers("limit_s", [1e300])],
    [words("user", ["1", "2"]), words("name", ["1"])],
    [words("user", ["1"]), words("user", ["1"])],
    [words("user", ["1"]) | {"shape": [2]}],
    [words("user", ["1"]) | {"shape": [1, 1, 1]}],
    [words("user", ["1"]) | {"datatype": "INT8"}],
    [words("user", ["1"]) | {"parameters": {"binary_data_size": 10}}],
    [words("user", ["1"]) | {"parameters": {"binary_data_size": -1}}],
    [words("user", ["1"]) | {"parameters": {"binary_data_size": "x"}}],
    [words("user", ["1"] * 1001)],
    [words("user", ["a" * 2000])],
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_what_is_no_request_gets_a_sentence(port, bad):
    body = bad if isinstance(bad, bytes) else {"inputs": bad}
    status, _, said = ask(port, "/v2/models/size/infer", body)
    assert (status, bool(said["error"])) == (400, True), said


def test_other_verbs_methods_and_outputs_are_refused(port):
    one = [words("user", ["1"])]
    assert ask(port, "/v2/models/runtime/infer")[0] == 405
    assert ask(port, "/v2/models/runtime", {"inputs": one})[0] == 405
    assert ask(port, "/v2/models/runtime", method="DELETE")[0] == 405
    assert infer(port, "nothing", one)[0] == 404
    assert infer(port, "runtime", one, outputs=[{"name": "nothing"}])[0] == 400
    for header in ("x", "-1", "999999", "1"):
        assert infer(port, "runtime", one, headers=JSON | {HEADER: header})[0] == 400
    page = {"origin": "http://elsewhere", "content-type": "application/octet-stream"}
    assert infer(port, "size", one, headers=page)[0] == 415
    assert infer(port, "size", one, headers={"content-type": "text/plain"})[0] == 415


def test_a_home_without_models_says_that_it_is_not_ready_and_refuses_rows(tmp_path):
    process, port = started(tmp_path)
    assert ask(port, "/v2/models/runtime")[2]["versions"] == []
    assert ask(port, "/v2/models/runtime/ready")[0] == 503
    found = outputs_of(infer(port, "runtime", [words("user", ["1"])])[2])
    assert found["value"]["data"] == [None]
    assert "no trained models" in found["refused"]["data"][0]
    given = infer(port, "size", [numbers("memory_requested_bytes", [10**9])])[2]
    assert outputs_of(given)["memory_bytes"]["data"] == [1e9]
    assert stopped(process) == 0


def test_only_who_may_decide_asks_for_tensors(home, tmp_path):
    file = tmp_path / "tokens"
    file.write_text("a-token-of-a-viewer observe\na-token-of-a-client decide\n")
    file.chmod(0o600)
    process, port = started(home, "--token-file", str(file))
    one = [words("user", ["1"])]
    for token, status in (("viewer", 403), ("client", 200), ("nobody", 401)):
        headers = JSON | {"authorization": f"Bearer a-token-of-a-{token}"}
        assert infer(port, "runtime", one, headers=headers)[0] == status
        assert ask(port, "/v2/models/size", headers=headers)[0] == status
    assert ask(port, "/v2/health/live")[0] == 200
    assert stopped(process) == 0


@given(st.lists(st.text(max_size=20), max_size=20), st.booleans())
def test_words_survive_both_ways_of_writing_them(texts, is_raw):
    asked = tensors.InferBody(inputs=[], parameters={"binary_data_output": is_raw})
    array = np.array(texts, dtype=object).astype(str) if texts else np.empty(0, "<U1")
    # NumPy's fixed-width words end before zeros
    body, length = tensors.write_infer(asked, {}, {"out": array})
    tensor = json.loads(body[:length])["outputs"][0] | {"name": "in"}
    again = json.dumps({"inputs": [tensor]}).encode()
    raw = b"" if length is None else body[length:]
    _, columns = tensors.read_infer(again + raw, len(again) if is_raw else None)
    assert columns["in"] == array.tolist()


@given(st.binary(max_size=60), st.integers(0, 70), st.sampled_from(["FP64", "BYTES"]))
def test_raw_bytes_are_a_column_or_an_error(raw, size, kind):
    head = json.dumps({
        "inputs": [{"name": "a", "shape": [1], "datatype": kind,
                    "parameters": {"binary_data_size": size}}]
    }).encode()  # fmt: skip
    try:
        _, columns = tensors.read_infer(head + raw, len(head))
    except ConfigError:
        return
    assert len(columns["a"]) == 1
