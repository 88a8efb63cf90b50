"""moto's server on loopback: an object store that enforces conditional writes."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving():
    """The address of a server that runs for as long as this lasts."""
    beside = shutil.which("moto_server", path=str(Path(sys.executable).parent))
    program = beside or shutil.which("moto_server")
    assert program, "no moto_server: make setup-real installs it"
    address = f"http://127.0.0.1:{(port := free_port())}"
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/moto-api/", timeout=5).close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        else:
            raise TimeoutError(f"moto_server did not answer at {address}")
        yield address
    finally:
        server.terminate()
        server.wait()


def bucket(address: str, name: str) -> dict[str, str]:
    """Make a bucket and give the storage options with which it is reached."""
    request = urllib.request.Request(f"{address}/{name}", method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    return {
        "aws_endpoint_url": address,
        "aws_access_key_id": "x",
        "aws_secret_access_key": "x",
        "aws_region": "us-east-1",
        "allow_http": "true",
        "conditional_put": "etag",
        "aws_virtual_hosted_style_request": "false",
    }
