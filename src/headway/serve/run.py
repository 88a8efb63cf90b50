"""The server as a process: starts, says where it is, and goes down without losing an answer."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Final, cast

from headway.errors import ConfigError, HeadwayError
from headway.serve.client import connect
from headway.serve.tokens import check_exposure, read_tokens
from headway.serve.waits import Leisure, Watched

if TYPE_CHECKING:
    import selectors
    from collections.abc import Callable
    from pathlib import Path

    from headway.serve.client import Client
    from headway.serve.http import Server
    from headway.serve.rollout_routes import Watch

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25  # seconds between two looks at which versions are current
STEP_S: Final = 0.5  # seconds between two looks at rollouts
DRAIN_S: Final = 10.0  # that requests under way have when the server goes down


def serve(
    home: Path, host: str, port: int, token_file: Path | None, say: Callable[[str], None]
) -> None:
    """Answer until SIGTERM or SIGINT; say gets the address once it answers there.

    ConfigError where the extra `serve` is not installed, a port is taken, or others could reach the
    server without a token.
    """
    try:
        from headway.serve.http import Server
        from headway.serve.rollout_routes import Watch
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'headway[serve]'") from error
    tokens = None if token_file is None else read_tokens(token_file)
    check_exposure(host, tokens)
    port = _free(host, port)
    client = connect(home)
    client.is_refreshing = False
    watch, leisure = Watch(home, client.arms), Leisure()
    server = Server(client, tokens, watch, leisure=leisure)
    try:
        with asyncio.Runner(loop_factory=lambda: _loop(leisure)) as runner:
            runner.run(_serve(client, watch, server, host, port, say))
    finally:
        client.close()


def _loop(leisure: Leisure) -> asyncio.AbstractEventLoop:
    """An event loop whose waits are counted."""
    return asyncio.SelectorEventLoop(cast("selectors.BaseSelector", Watched(leisure)))


async def _serve(
    client: Client, watch: Watch, server: Server, host: str, port: int, say: Callable[[str], None]
) -> None:
    from granian.server.embed import Server as Granian

    client.warm_up()
    granian: Any = Granian(
        server, address=host, port=port, log_enabled=False, websockets=False, backpressure=4096
    )
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(granian.serve())
    refreshing = asyncio.create_task(_refresh(client))
    watching = asyncio.create_task(_watch(watch))
    await _answers(host, port, serving)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    say(f"http://{host}:{port}")
    waiting = asyncio.create_task(over.wait())
    await asyncio.wait((waiting, serving), return_when=asyncio.FIRST_COMPLETED)
    server.is_draining = True
    for _ in range(int(DRAIN_S / 0.05)):
        if not server.under_way:
            break
        await asyncio.sleep(0.05)
    waiting.cancel()
    refreshing.cancel()
    watching.cancel()
    granian.stop()
    await serving


async def _refresh(client: Client) -> None:
    """Take up other versions beside the answers."""
    while True:
        await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(client.refresh)


async def _watch(watch: Watch) -> None:
    """Look at rollouts beside the answers."""
    while True:
        await asyncio.sleep(STEP_S)
        try:
            await asyncio.to_thread(watch.step, time.time())
        except HeadwayError as error:
            log.warning("rollouts were not looked at: %s", error)


async def _answers(host: str, port: int, serving: asyncio.Task[None]) -> None:
    """Wait until the port answers; ConfigError where the server ended before."""
    while True:
        if serving.done():
            raise ConfigError(f"the server could not listen on {host}:{port}")
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


def _free(host: str, port: int) -> int:
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
