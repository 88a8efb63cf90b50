"""What /openapi.json promises is what is answered."""

import time

import pytest
from tests.serve.made_home import make_home
from tests.serve.served import JSON, ask, started, stopped

msgspec = pytest.importorskip("msgspec")
pytest.importorskip("granian")


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    home = make_home(tmp_path_factory.mktemp("openapi"), created_s=time.time() - 60.0)[0]
    process, port = started(home)
    yield port
    assert stopped(process) == 0


TASK = {"user": "1", "cpus_requested": 2, "memory_requested_bytes": 10**9}
TENSORS = {"inputs": [{"name": "user", "shape": [1], "datatype": "BYTES", "data": ["1"]}]}
ASKED = {
    ("post", "/v1/size"): {"task": TASK},
    ("post", "/v1/order"): {"tasks": [TASK]},
    ("post", "/v1/place"): {"tasks": [TASK, {}], "nodes": [{"name": "a", "free_cpus": 1}]},
    ("post", "/v1/outcomes"): {"outcomes": [{"decision_id": "a", "state": "completed"}]},
    ("post", "/v1/feedback"): {"decision_id": "a", "user": "ann", "rating": 3},
    ("post", "/v1/events"): {
        "events": [
            {"kind": "submitted", "at_s": 9.0, "task": {"cluster": "c", "id": "7"}},
            {"kind": "ended", "at_s": 9.0, "task": {"cluster": "c", "id": "8"}},
        ]
    },
    ("post", "/v1/samples"): {
        "samples": [{"cluster": "c", "source": "n", "metric": "m", "at_s": 1.0, "value": 2.0}]
    },
}


def test_every_answer_has_the_type_that_is_promised(port):
    from headway.serve.openapi import ROUTES

    seen = 0
    for route in ROUTES:
        if "rollout" in route.path or route.said is str or "{version}" in route.path:
            continue
        path = route.path.replace("{model}", "runtime")
        body = TENSORS if path.endswith("/infer") else ASKED.get((route.method, path))
        assert (body is None) == (route.body is None), path
        status, _, said = ask(port, path, body)
        assert status == 200, (path, said)
        kinds = route.said if isinstance(route.said, tuple) else (route.said,)
        msgspec.convert(said, kinds[0], strict=True)
        names = {field.encode_name for field in msgspec.structs.fields(kinds[0])}
        assert set(said) <= names, path
        seen += 1
    assert seen == 15
    many = ask(port, "/v1/size", {"tasks": [TASK]})[2]
    assert set(many) == {"answers"}


def test_the_document_knows_every_route_that_the_server_knows(port):
    from headway.serve import http

    document = ask(port, "/openapi.json")[2]
    assert document["openapi"] == "3.1.0"
    known = set(document["paths"])
    assert {*http._SCOPES, *http._OPEN, *http._HEALTH_V2} - {"/openapi.json"} <= known
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            asked = path.replace("{model}", "size").replace("{version}", "v000001")
            asked = asked.replace("{rollout_id}", "r000001")
            body = {} if method == "post" else None
            status = ask(port, asked, body, method=method.upper())[0]
            assert str(status) in operation["responses"], (method, path, status)
    assert ask(port, "/live", {}, method="POST")[0] == 405
    assert ask(port, "/v1/size")[1]["allow"] == "POST"


def test_references_are_whole_and_scopes_are_those_of_the_server():
    from headway.serve import http
    from headway.serve.openapi import openapi
    from headway.serve.rollout_routes import scope_of

    document = openapi(is_guarded=True)
    text = msgspec.json.encode(document).decode()
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names
    assert names <= set(document["components"]["schemas"])
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            scopes = [one["bearer"] for one in operation.get("security", [])]
            if path.startswith("/v1/rollouts"):
                assert scopes == [[scope_of(path, method.upper())]]
            elif path in http._SCOPES:
                assert scopes == [[http._SCOPES[path]]]
            assert ("401" in operation["responses"]) == bool(scopes)
    assert "security" not in openapi(is_guarded=False)["paths"]["/v1/size"]["post"]


def test_an_error_has_the_type_that_is_promised(port):
    from headway.serve.documents import Error

    for path, body, headers in (
        ("/v1/size", {"task": 1}, JSON),
        ("/v1/size", b"{}", {"content-type": "text/plain"}),
        ("/nothing", None, {}),
    ):
        said = ask(port, path, body, headers=headers)[2]
        assert msgspec.convert(said, Error).error
