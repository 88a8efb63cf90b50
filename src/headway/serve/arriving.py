"""The bodies of requests as they come: how large, how slow, and how much of them at once."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from headway.serve.refused import Refused

LARGEST: Final = 4 << 20  # bytes of a body
TOGETHER: Final = 128 << 20  # bytes of all bodies that have come in part
SMALL: Final = 16 << 10  # bytes up to which a body is not counted: there are no more connections
SLOWEST_S: Final = 10.0  # in which a body must have come


class Arriving:
    """Reads bodies; belongs to the thread of its loop.

    Who sends slowly holds a few bytes and no place among the requests that are answered.
    """

    def __init__(self, *, slowest_s: float = SLOWEST_S, together: int = TOGETHER) -> None:
        """slowest_s: in which a body must have come; together: bytes of all that come."""
        self._slowest_s, self._together, self._bytes = slowest_s, together, 0

    async def body(self, scope: Any, protocol: Any) -> bytes:
        """The body, unless it is too large, too slow or not JSON by its own word."""
        if not _is_taken(scope):
            raise Refused(415, "the body must be sent as content-type application/json")
        length = scope.headers.get("content-length") or "0"
        if not length.isdecimal() or int(length) > LARGEST:
            raise Refused(413, f"a body has at most {LARGEST} bytes")
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self._slowest_s):
                if 0 < int(length) <= SMALL:
                    whole: bytes = await protocol()  # one turn of the loop instead of two
                    return whole
                await self._read(protocol, parts)
        except ProtocolClosed as error:
            raise Refused(400, "the connection was closed before the body had come") from error
        except TimeoutError as error:
            raise Refused(408, f"the body did not come within {self._slowest_s:g} s") from error
        finally:
            self._bytes -= sum(map(len, parts))
        return b"".join(parts)

    async def _read(self, protocol: Any, parts: list[bytes]) -> None:
        size = 0
        async for part in protocol:
            parts.append(part)
            size += len(part)
            self._bytes += len(part)
            if size > LARGEST:
                raise Refused(413, f"a body has at most {LARGEST} bytes")
            if self._bytes > self._together:
                raise Refused(429, "too much is being sent at once: come again")


def _is_taken(scope: Any) -> bool:
    """Whether the body is of a kind that is read, and from no web page of another's.

    A page may send what it calls text or nothing without being asked; its browser says `origin`.
    Clients of the Open Inference Protocol send tensors and do not say of what kind.
    """
    kind = (scope.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return True
    is_inference = scope.path.startswith("/v2/") and not scope.headers.get("origin")
    return is_inference and kind in ("", "application/octet-stream")
