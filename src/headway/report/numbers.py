"""Numbers as people read them: three significant digits, with their unit, and safe to look up."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

DURATIONS = ((86400.0, "d", 2.0), (3600.0, "h", 1.0), (60.0, "min", 2.0))
"""Seconds of a unit, its sign, and how many of it there must be for it to be used."""


def known(value: object) -> float | None:
    """A finite number, or None for whatever else stands there.

    >>> known(3), known(float("nan")), known(None), known("7")
    (3.0, None, None, None)
    """
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def part(document: object, *names: str) -> dict[str, Any]:
    """A nested dictionary of a document; empty where it is missing or something else."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def entries(document: object, *names: str) -> list[dict[str, Any]]:
    """A nested list of dictionaries; empty where it is missing, what is no dictionary left out."""
    found = part(document, *names[:-1]).get(names[-1])
    return [e for e in found if isinstance(e, dict)] if isinstance(found, (list, tuple)) else []


def sentences(document: object, *names: str) -> list[str]:
    """A nested list of texts; empty where it is missing."""
    found = part(document, *names[:-1]).get(names[-1])
    return (
        [e for e in found if e and isinstance(e, str)] if isinstance(found, (list, tuple)) else []
    )


def clean(value: object, most: int = 400) -> str:
    r"""A text of unknown origin on one line: no control characters, at most `most` characters.

    What is neither a text nor a number is an empty text.

    >>> clean("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'
    """
    is_text = isinstance(value, (str, PurePath)) or known(value) is not None
    text = str(value) if is_text else ""
    cut = text[:most] + ("..." if len(text) > most else "")
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def digits(x: float) -> str:
    """Three significant digits.

    >>> digits(0.12345), digits(9.996), digits(1234.5), digits(2_772_479.0), digits(0.0)
    ('0.123', '10.0', '1,230', '2.77 million', '0')
    """
    if x == 0.0:
        return "0"
    x = float(f"{x:.3g}")
    size = abs(x)
    if size >= 1e15 or size < 1e-3:
        return f"{x:.2g}"
    for scale, word in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if size >= scale:
            return digits(x / scale) + word
    return f"{x:,.{max(0, 2 - math.floor(math.log10(size)))}f}"


def count(value: object) -> str:
    """A whole number in full, or '?' where there is none."""
    x = known(value)
    return "?" if x is None else f"{round(x):,}"


def things(value: object, one: str) -> str:
    """A count with its noun.

    >>> things(1, "task"), things(2000, "task")
    ('1 task', '2,000 tasks')
    """
    return f"{count(value)} {one}" if known(value) == 1.0 else f"{count(value)} {one}s"


def share(x: float) -> str:
    """A share in [0, 1] in percent.

    >>> share(0.7175), share(1.0), share(0.9998), share(0.0042), share(-0.02)
    ('71.8%', '100%', '>99.9%', '0.42%', '-2.0%')
    """
    percent = 100.0 * x
    if percent in (0.0, 100.0):
        return f"{percent:.0f}%"
    if 99.95 <= percent < 100.0:
        return ">99.9%"
    if abs(percent) >= 999.5:
        return f"{digits(percent)}%"
    return f"{percent:.2f}%" if abs(percent) < 0.995 else f"{percent:.1f}%"


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them.

    >>> duration(47.0), duration(950.2), duration(15131.0), duration(29306751.0)
    ('47.0 s', '15.8 min', '4.20 h', '339 d')
    """
    per, sign = duration_unit(seconds)
    return f"{digits(seconds / per)} {sign}"


def duration_unit(seconds: float) -> tuple[float, str]:
    """How many seconds the unit has that suits a duration, and its sign."""
    for per, sign, least in DURATIONS:
        if abs(seconds) >= per * least:
            return per, sign
    return 1.0, "s"


def size(n_bytes: float) -> str:
    """Bytes in the unit that suits them, decimal as in the rest of Headway.

    >>> size(134e6), size(1.5e9)
    ('134 MB', '1.50 GB')
    """
    for scale, sign in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(n_bytes) >= scale:
            return f"{digits(n_bytes / scale)} {sign}"
    return f"{digits(n_bytes)} B"


def money(amount: float, currency: str) -> str:
    """An amount in a currency, which may have no name."""
    return f"{digits(amount)} {clean(currency, 12)}".strip()


def day(epoch_s: float) -> str:
    """A date in UTC; empty for times that count from no real date."""
    if not 10**8 < epoch_s < 10**11:
        return ""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d")


def plain(value: Any) -> Any:
    """A value as JSON can hold it: NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
