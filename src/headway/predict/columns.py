"""Which features a model of runtimes or of peak memory looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAMILIES: Final = ("user_shape", "name_shape", "user", "name", "all")
_MEMORY_FAMILIES: Final = ("name_shape", "user_shape", "user_name", "name", "user", "all")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns: all that may be looked at, and those with a meaning of their own."""

    names: tuple[str, ...]
    families: tuple[str, ...]  # of keys, the nearest history first
    anchors: tuple[str, ...]  # logs of the target in the history of each family
    cap: str  # the limit that the target cannot exceed; '' = none


def columns_for(target: str, names: Sequence[str]) -> Columns:
    """The columns for 'runtime_s', 'memory_bytes' or 'failure' among those of these names.

    Words of a tag tell little that the history does not; runtimes do without that of memory.
    """
    is_memory = target == "memory_bytes"
    families = _MEMORY_FAMILIES if is_memory else _FAMILIES
    statistic = "memory_mean_log" if is_memory else "ewma_log"
    return Columns(
        names=tuple(n for n in names if (is_memory or ".memory_" not in n) and "tag_" not in n),
        families=families,
        anchors=tuple(f"{family}.{statistic}" for family in families),
        cap="" if is_memory else "limit_s",
    )
