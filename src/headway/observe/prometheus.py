"""Series that Prometheus answers to a range query, from a file or from a server."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import numpy as np

from headway.errors import ClusterError, ConfigError, InputError
from headway.observe.grid import Floats, Points, on_grid
from headway.protocols import Panel

MOST_POINTS: Final = 10_000  # of a series in one answer; a server refuses more than 11,000
_PATIENCE_S: Final = 60.0
_MOST_BYTES: Final = 1 << 30


def points_of(answer: bytes, place: str) -> Points:
    """The points of each series in the JSON answer to a range query; InputError if it is none.

    A series is named as PromQL writes it: `node_load1{instance="a:9100"}`. place: where the answer
    is from, for messages.
    """
    try:
        whole = json.loads(answer)
        if whole.get("status") == "error":
            raise InputError(f"{place}: Prometheus says: {whole.get('error', 'error')}")
        data = whole["data"]
        if data["resultType"] != "matrix":
            raise InputError(
                f"{place} answers an instant query ({data['resultType']}): ask for a range"
                " (query_range)"
            )
        return {_name(one["metric"]): _pairs(one["values"]) for one in data["result"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{place} is no answer of Prometheus to a range query: {error}") from error


def ask_prometheus(
    address: str,
    query: str,
    start_s: float,
    end_s: float,
    step_s: float,
    headers: Mapping[str, str] | None = None,
) -> Panel:
    """The series of a PromQL query from start_s to end_s, from a server at http://host:port.

    Long ranges are asked in parts. headers: such as Authorization. ClusterError where the server
    does not answer, InputError where it says no.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise ConfigError(f"address must be http://HOST:PORT or https, got {address!r}")
    if not (step_s > 0 and end_s >= start_s):
        raise ConfigError(f"step_s must be above 0 and start_s before end_s, got {step_s}")
    merged: dict[str, list[tuple[Floats, Floats]]] = {}
    for begin_s, last_s in _parts(start_s, end_s, step_s):
        words = {"query": query, "start": begin_s, "end": last_s, "step": step_s}
        answer = _asked(address.rstrip("/") + "/api/v1/query_range", words, headers or {})
        for name, pair in points_of(answer, _without_user(address)).items():
            merged.setdefault(name, []).append(pair)
    if not merged:
        raise InputError(f"{_without_user(address)} has no series for {query}")
    points = {
        name: (np.concatenate([t for t, _ in parts]), np.concatenate([y for _, y in parts]))
        for name, parts in merged.items()
    }
    return on_grid(points, step_s, start_s % step_s)[0]


def _parts(start_s: float, end_s: float, step_s: float) -> Iterator[tuple[float, float]]:
    steps = math.floor((end_s - start_s) / step_s + 1e-9)
    for first in range(0, steps + 1, MOST_POINTS):
        last = min(first + MOST_POINTS - 1, steps)
        yield start_s + first * step_s, start_s + last * step_s


def _asked(url: str, words: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    place = _without_user(url)
    request = Request(url, urlencode(words).encode(), dict(headers))
    try:
        with urlopen(request, timeout=_PATIENCE_S) as answer:
            content = bytes(answer.read(_MOST_BYTES + 1))
    except HTTPError as error:
        with error:
            said = error.read(1 << 16)
        if said[:1] == b"{":
            return said
        raise ClusterError(f"{place} answered {error.code}: {error.reason}") from error
    except (URLError, OSError) as error:
        raise ClusterError(f"{place} does not answer: {error}") from error
    if len(content) > _MOST_BYTES:
        raise InputError(f"{place} answered more than {_MOST_BYTES:,} bytes; ask for less")
    return content


def _without_user(url: str) -> str:
    """An address without a user and password that may stand in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _name(metric: Mapping[str, str]) -> str:
    labels = ",".join(f'{k}="{v}"' for k, v in sorted(metric.items()) if k != "__name__")
    return metric.get("__name__", "") + (f"{{{labels}}}" if labels else "") or "{}"


def _pairs(values: list[list[Any]]) -> tuple[Floats, Floats]:
    """Times and values; Inf and NaN are not known."""
    pairs = np.array([(float(t), float(y)) for t, y in values]).reshape(-1, 2)
    return pairs[:, 0], np.where(np.isfinite(pairs[:, 1]), pairs[:, 1], np.nan)
