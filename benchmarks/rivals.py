"""The same sizes served by others: `rivals.py fastapi|granian|mlflow|bentoml HOME PORT`.

Each answers by `headway.connect(HOME)` without a log, but granian, which answers a constant.
"""

import os
import sys
from pathlib import Path

BODY = b'{"decision_id":"0","memory_bytes":1,"made_by":"constant","refused":""}'
TASK = (
    "cluster", "id", "user", "group", "project", "workflow", "name", "tag", "queue", "container",
    "submitted_s", "cpus_requested", "nodes", "gpus", "limit_s", "memory_requested_bytes",
    "input_bytes",
)  # fmt: skip


def sizer(home):
    """A function from the fields of a task to what is said of it."""
    import time

    import headway
    from headway.records import Task

    client = headway.connect(home, is_logged=False)

    def size(fields):
        said = client.size(Task(**{"cluster": "", "id": "", "submitted_s": time.time()} | fields))
        return {
            "memory_bytes": said.memory_bytes, "made_by": said.made_by, "refused": said.refused,
            "runtime_s": said.runtime_s.value, "quantiles": list(said.runtime_s.quantiles),
            "version": said.version,
        }  # fmt: skip

    return size


def fastapi(home, port):
    """FastAPI with pydantic under uvicorn."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import create_model

    app, size = FastAPI(), sizer(home)
    fields = {name: (str | float | None, None) for name in TASK}
    task = create_model("Task", **fields)
    body = create_model("Body", task=(task, ...))

    def answer(asked):
        return size(asked.task.model_dump(exclude_none=True))

    answer.__annotations__ = {"asked": body}
    app.post("/v1/size")(answer)
    uvicorn.run(app, port=port, log_level="error", access_log=False)


def granian(_, port):
    """Bare granian: reads the body, answers a constant."""
    import asyncio

    from granian.server.embed import Server

    async def app(scope, protocol):
        await protocol()
        protocol.response_bytes(200, [("content-type", "application/json")], BODY)

    server = Server(app, port=port, log_enabled=False, websockets=False, backpressure=4096)
    asyncio.run(server.serve())


def mlflow(home, port):
    """`mlflow models serve` with a pyfunc that asks the same client."""
    import tempfile

    import mlflow.pyfunc

    class Sizes(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            sys.path.insert(0, context.model_config["code"])
            from rivals import sizer

            self.size = sizer(context.model_config["home"])

        def predict(self, context, model_input, params=None):
            rows = model_input.astype(object).where(model_input.notna(), None).to_dict("records")
            return [self.size({k: v for k, v in row.items() if v is not None}) for row in rows]

    folder = Path(tempfile.mkdtemp()) / "model"
    config = {"home": str(home), "code": str(Path(__file__).parent)}
    mlflow.pyfunc.save_model(folder, python_model=Sizes(), model_config=config, pip_requirements=[])
    folders = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ["PATH"] = folders  # where it looks for its web server
    os.execv(
        Path(sys.executable).with_name("mlflow"),
        ["mlflow", "models", "serve", "-m", str(folder), "-p", str(port), "--env-manager", "local",
         "--workers", "1"],
    )  # fmt: skip


def bentoml(home, port):
    """A BentoML service with one worker."""
    text = f"""
import bentoml, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})

@bentoml.service(workers=1)
class Sizes:
    def __init__(self):
        from rivals import sizer
        self._size = sizer({str(home)!r})

    @bentoml.api(route="/v1/size")
    def size(self, task: dict) -> dict:
        return self._size(task)
"""
    import tempfile

    folder = Path(tempfile.mkdtemp())
    (folder / "service.py").write_text(text)
    os.chdir(folder)
    os.execv(
        Path(sys.executable).with_name("bentoml"),
        ["bentoml", "serve", "service:Sizes", "-p", str(port), "--host", "127.0.0.1"],
    )


if __name__ == "__main__":
    {"fastapi": fastapi, "granian": granian, "mlflow": mlflow, "bentoml": bentoml}[sys.argv[1]](
        Path(sys.argv[2]), int(sys.argv[3])
    )
