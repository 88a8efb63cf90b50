"""Values as a table of a report shows them, and why there is none."""

from __future__ import annotations

from typing import Any, Final

from headway.report.numbers import clean, digits, duration, known, share

UNKNOWN: Final = "-"


def why_not(prediction: dict[str, Any]) -> str:
    """Why a part could not be judged, in a sentence."""
    why = clean(prediction.get("why"))
    return f"Could not be judged: {why}." if why else "Could not be judged: the history lacks it."


def number_cell(row: dict[str, Any], key: str, unit: str = "") -> str:
    """A number with its unit."""
    x = known(row.get(key))
    return UNKNOWN if x is None else digits(x) + unit


def share_cell(row: dict[str, Any], key: str) -> str:
    """A share in percent."""
    x = known(row.get(key))
    return UNKNOWN if x is None else share(x)


def time_cell(row: dict[str, Any], key: str) -> str:
    """A duration."""
    x = known(row.get(key))
    return UNKNOWN if x is None else duration(x)
