"""The server as a process: starts, says where it is, and goes down without losing an answer."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headway.errors import ConfigError, HeadwayError
from headway.serve.client import connect
from headway.serve.learned import warm_up
from headway.serve.learner import Learner
from headway.serve.reach import check_certificate, free_port, listening, until_reached
from headway.serve.tokens import check_exposure, read_tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headway.serve.client import Client
    from headway.serve.http import Server
    from headway.serve.reach import Reach
    from headway.serve.rollout_routes import Watch

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25  # seconds between two looks at which versions are current
STEP_S: Final = 0.5  # seconds between two looks at rollouts
LEARN_S: Final = 0.5  # seconds between two looks at outcomes,
BEHIND_S: Final = 0.25  # and where more are there than one look takes
DRAIN_S: Final = 10.0  # that requests under way have when the server goes down


def serve(home: Path, reach: Reach, say: Callable[[str], None]) -> None:
    """Answer until SIGTERM or SIGINT; say gets the address once it answers there.

    SIGHUP reads the tokens again; other models are taken up without it.

    ConfigError where the extra `serve` is not installed, a port is taken, tokens or certificate
    cannot be read, or others could reach the server without a token.
    """
    try:
        import uvloop

        from headway.serve.http import Server
        from headway.serve.observing import Observing
        from headway.serve.rollout_routes import Watch
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'headway[serve]'") from error
    tokens = None if reach.token_file is None else read_tokens(reach.token_file)
    check_exposure(reach.host, tokens)
    check_certificate(reach.certificate, reach.key)
    reach = replace(reach, port=free_port(reach.host, reach.port))
    client = connect(home, is_learning=True)
    client.is_refreshing = False
    learner = Learner(home, client)
    watch = Watch(home, client.arms)
    observing = Observing(home)
    server = Server(client, tokens, watch, observing)
    try:
        uvloop.run(_serve(client, watch, learner, server, reach, say))
    finally:
        observing.close()
        learner.close()
        client.close()


async def _serve(
    client: Client, watch: Watch, learner: Learner, server: Server, reach: Reach,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    client.warm_up()
    warm_up()
    gc.collect()
    gc.freeze()  # what is loaded stays: to look for garbage in it takes tens of milliseconds
    granian = listening(server, reach)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(granian.serve())
    refreshing = asyncio.create_task(_refresh(client))
    watching = asyncio.create_task(_watch(watch))
    learning = asyncio.create_task(_learn(learner))
    await until_reached(reach, serving)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    loop.add_signal_handler(signal.SIGHUP, _read_tokens_again, server, reach)
    say(reach.url)
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
    learning.cancel()
    granian.stop()
    await serving


def _read_tokens_again(server: Server, reach: Reach) -> None:
    """Take up what the file of tokens says by now; one that cannot be read changes nothing."""
    if reach.token_file is None:
        return
    try:
        server.tokens = read_tokens(reach.token_file)
        log.warning("the tokens were read again: %d", len(server.tokens))
    except HeadwayError as error:
        log.warning("the tokens in use stay: %s", error)


async def _refresh(client: Client) -> None:
    """Take up other versions beside the answers."""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            await asyncio.to_thread(client.refresh)
        except HeadwayError as error:
            log.warning("the models in use stay: %s", error)


async def _learn(learner: Learner) -> None:
    """Let outcomes teach the models beside the answers."""
    is_done = True
    while True:
        await asyncio.sleep(LEARN_S if is_done else BEHIND_S)
        try:
            is_done = await asyncio.to_thread(learner.step, time.time())
        except (HeadwayError, OSError) as error:
            log.warning("outcomes teach nothing now: %s", error)
        except Exception:  # of ours: what comes later should teach still
            log.exception("outcomes taught nothing")


async def _watch(watch: Watch) -> None:
    """Look at rollouts beside the answers."""
    while True:
        await asyncio.sleep(STEP_S)
        try:
            await asyncio.to_thread(watch.step, time.time())
        except (HeadwayError, OSError) as error:
            log.warning("rollouts were not looked at: %s", error)
