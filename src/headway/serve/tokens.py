"""Who may ask what: bearer tokens with scopes, from a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from headway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCOPES: Final = ("decide", "observe", "operate")
"""decide: sizes and orders; observe: outcomes, feedback and looks at rollouts; operate: metrics and
what is done to rollouts."""
LEAST: Final = 16  # characters of a token


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token opens, and until when."""

    scopes: frozenset[str]
    until_s: float = math.inf


def read_tokens(path: Path) -> dict[bytes, Grant]:
    """Grants by the digest of a token, from lines 'TOKEN SCOPE,SCOPE [UNTIL]'; # begins a comment.

    UNTIL is a date or a time of ISO 8601, of UTC unless it says otherwise. ConfigError where a line
    is of another form, a token is short, others may read the file, or it holds none.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"others may read the tokens in {path}: chmod 600 it")
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the tokens in {path}: {error}") from error
    tokens = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            tokens[digest_of(words[0])] = _grant(words)
        except ValueError as error:
            raise ConfigError(
                f"line {number} of {path} must be a token of {LEAST} characters or more, a space,"
                f" some of {','.join(SCOPES)}, and maybe until when (2027-01-31T12:00)"
            ) from error
    if not tokens:
        raise ConfigError(f"{path} holds no token")
    return tokens


def _grant(words: list[str]) -> Grant:
    """What a line says of its token; ValueError where it is of another form."""
    if not 2 <= len(words) <= 3 or len(words[0]) < LEAST:
        raise ValueError(len(words))
    scopes = frozenset(words[1].split(","))
    if not scopes <= set(SCOPES):
        raise ValueError(words[1])
    if len(words) == 2:
        return Grant(scopes)
    until = datetime.fromisoformat(words[2])
    return Grant(scopes, (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp())


def digest_of(token: str) -> bytes:
    """What a token is looked up by: the time that takes says nothing of the tokens there are."""
    return sha256(token.encode()).digest()


def refusal(
    tokens: Mapping[bytes, Grant] | None, authorization: str, scope: str, now_s: float
) -> tuple[int, str]:
    """HTTP status and why a request may not ask; (200, '') = it may. tokens None: all may.

    >>> refusal({}, "Bearer guess", "decide", 0.0)[0], refusal(None, "", "decide", 0.0)[0]
    (401, 200)
    """
    if tokens is None:
        return 200, ""
    kind, _, token = authorization.partition(" ")
    grant = tokens.get(digest_of(token.strip())) if kind.lower() == "bearer" else None
    if grant is None:
        return 401, "a bearer token that is known here is needed"
    if now_s >= grant.until_s:
        return 401, "this token has expired"
    return (200, "") if scope in grant.scopes else (403, f"this token has no scope {scope!r}")


def check_exposure(host: str, tokens: Mapping[bytes, Grant] | None) -> None:
    """ConfigError where others could reach the server and no token is asked for."""
    try:
        is_own = ip_address(host).is_loopback
    except ValueError:
        is_own = host == "localhost"
    if tokens is None and not is_own:
        raise ConfigError(f"host {host} can be reached by others: give --token-file as well")
