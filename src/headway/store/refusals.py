"""One clear sentence for each way in which a disk or bucket says no."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSES = {
    r"No space left|os error 28\b|Disk quota|os error 122\b": "the disk is full: make room",
    r"File too large|os error 27\b": "a file is larger than this system allows",
    r"Permission denied|os error 13\b|not permitted|os error 1\b|AccessDenied|Read-only file":
        "no permission: check owner and mode, or the credentials of the bucket",
    r"Not a directory|os error 20\b|File exists|os error 17\b": "a file is in the way of a folder",
    r"NoSuchBucket|bucket does not exist": "there is no such bucket",
    r"error sending request|Connection refused|timed out": "the object store does not answer",
    r"Json error|Parquet|parquet|Invalid JSON|log segment|_delta_log":
        "a file of the table is damaged or missing: restore it from a copy",
}  # fmt: skip
"""What to look for in a library's text -> what to tell the user."""

ERRORS = (
    ("deltalake.exceptions", "DeltaError"), ("pyarrow", "ArrowException"),
    ("polars.exceptions", "PolarsError"),
)  # fmt: skip
"""The errors of libraries: module, name."""


@contextmanager
def plainly(doing: str) -> Iterator[None]:
    """Turn what the libraries below raise into a StoreError: what failed, why, what to do."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, (OSError, ValueError, *_raised())):
            raise
        text = re.sub(r"\x1b\[\d*m", "", str(error))
        cause = next((say for sign, say in CAUSES.items() if re.search(sign, text)), "")
        first = text.strip().splitlines()[0][:300] if text.strip() else type(error).__name__
        reason = f"{cause} ({first})" if cause else first
        raise StoreError(f"cannot {doing}: {reason}; what was stored before is intact") from error


def _raised() -> list[type[Exception]]:
    """What the libraries below raise; one that nobody has loaded raises nothing."""
    loaded = [(sys.modules.get(module), name) for module, name in ERRORS]
    return [getattr(module, name) for module, name in loaded if module is not None]
