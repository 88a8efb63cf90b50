"""Where a server is reached: address, certificate, and how long a head may take to come."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

HEADERS_S: Final = 10.0  # in which the head of a request must have come; also of the next one
CONNECTIONS: Final = 4096  # that are open at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """An address, tokens and a certificate (PEM) with its key; port 0 = a free one."""

    host: str
    port: int
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def url(self) -> str:
        """The address in words."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


def check_certificate(certificate: Path | None, key: Path | None) -> None:
    """ConfigError where one of both is missing or not readable, or others may read the key."""
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise ConfigError("--tls-cert and --tls-key go together: give both")
    try:
        if key.stat().st_mode & 0o077:
            raise ConfigError(f"others may read the key in {key}: chmod 600 it")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{certificate} and {key} are no certificate and its key: {error}"
        ) from error


def listening(target: Any, reach: Reach) -> Any:
    """The HTTP server of a target; it listens once its `serve` is awaited.

    HTTP/1.1 alone: before a connection has said which version it speaks no time limit holds.
    """
    from granian.constants import HTTPModes
    from granian.http import HTTP1Settings
    from granian.server.embed import Server as Granian

    return Granian(
        target, address=reach.host, port=reach.port, log_enabled=False, websockets=False,
        backpressure=CONNECTIONS, http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=round(1000.0 * HEADERS_S)),
        ssl_cert=reach.certificate, ssl_key=reach.key,
    )  # fmt: skip


async def until_reached(reach: Reach, serving: asyncio.Task[None]) -> None:
    """Wait until the port answers; ConfigError where the server ended before."""
    while True:
        if serving.done():
            raise ConfigError(f"the server could not listen on {reach.host}:{reach.port}")
        try:
            _, writer = await asyncio.open_connection(reach.host, reach.port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0; ConfigError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        free: int = probe.getsockname()[1]
        return free
