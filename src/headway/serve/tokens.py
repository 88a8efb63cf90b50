"""Who may ask what: bearer tokens with scopes, from a file."""

from __future__ import annotations

from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from headway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCOPES: Final = ("decide", "observe", "operate")
"""decide: sizes and orders; observe: outcomes and feedback; operate: metrics."""
LEAST: Final = 16  # characters of a token


def read_tokens(path: Path) -> dict[bytes, frozenset[str]]:
    """Scopes by the digest of a token, from lines 'TOKEN SCOPE,SCOPE'; # begins a comment.

    ConfigError where a line is of another form, a token is short, others may read the file, or it
    holds none.
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
        scopes = frozenset(words[1].split(",")) if len(words) == 2 else frozenset()
        if not scopes or not scopes <= set(SCOPES) or len(words[0]) < LEAST:
            raise ConfigError(
                f"line {number} of {path} must be a token of {LEAST} characters or more, a space,"
                f" and some of {','.join(SCOPES)}"
            )
        tokens[digest_of(words[0])] = scopes
    if not tokens:
        raise ConfigError(f"{path} holds no token")
    return tokens


def digest_of(token: str) -> bytes:
    """What a token is looked up by: the time that takes says nothing of the tokens there are."""
    return sha256(token.encode()).digest()


def refusal(
    tokens: Mapping[bytes, frozenset[str]] | None, authorization: str, scope: str
) -> tuple[int, str]:
    """HTTP status and why a request may not ask; (200, '') = it may. tokens None: all may.

    >>> refusal({}, "Bearer guess", "decide")[0], refusal(None, "", "decide")[0]
    (401, 200)
    """
    if tokens is None:
        return 200, ""
    kind, _, token = authorization.partition(" ")
    scopes = tokens.get(digest_of(token.strip())) if kind.lower() == "bearer" else None
    if scopes is None:
        return 401, "a bearer token that is known here is needed"
    return (200, "") if scope in scopes else (403, f"this token has no scope {scope!r}")


def check_exposure(host: str, tokens: Mapping[bytes, frozenset[str]] | None) -> None:
    """ConfigError where others could reach the server and no token is asked for."""
    try:
        is_own = ip_address(host).is_loopback
    except ValueError:
        is_own = host == "localhost"
    if tokens is None and not is_own:
        raise ConfigError(f"host {host} can be reached by others: give --token-file as well")
