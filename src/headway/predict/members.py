"""Members that an ensemble may have beside its trees, each with the columns that suit it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError
from headway.predict.boosted import LEVELS
from headway.predict.columns import columns_for
from headway.predict.gaussian import Gaussian
from headway.predict.neural import Neural
from headway.predict.online import Online
from headway.predict.stream import Stream
from headway.predict.xgboosted import XGBoosted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headway.predict.conformal import Refitted

EXTRAS: Final = ("xgboosted", "neural", "stream", "online", "gaussian")
"""The members there are; which are worth their cost says docs/members.md."""

_KINDS: Final[dict[str, Any]] = dict(
    zip(EXTRAS, (XGBoosted, Neural, Stream, Online, Gaussian), strict=True)
)
_NEEDED: Final = {
    "xgboosted": ("xgboost", "trees"), "neural": ("torch", "networks"),
    "stream": ("river", "online"), "gaussian": ("sklearn", "configure"),
}  # fmt: skip
_EVERY: Final = 16  # outcomes in a block of those that learn one by one
_KEYS: Final = ("user", "group", "project", "workflow", "name", "stem", "queue", "container")
_SIZES: Final = ("input_bytes", "cpus", "limit_s", "memory_requested_bytes")
_TOLD: Final = (
    "ended", "last_s", "mean_log", "ewma_log", "std_log", "median_s", "p90_s", "short_share",
    "use_share", "since_end_s", "burst_mean_log", "running", "oldest_s", "memory_ended",
    "memory_last_bytes", "memory_mean_log", "memory_std_log", "memory_median_bytes",
    "memory_max_bytes",
)  # fmt: skip


def extra_members(
    chosen: Sequence[str], names: Sequence[str], *, is_memory: bool, seed: int = 0
) -> list[tuple[str, Refitted]]:
    """New members that were chosen, in the order of EXTRAS, for features of these names.

    is_memory: the target is the peak memory, else the runtime, which has a limit.
    """
    if not set(chosen) <= set(EXTRAS):
        raise ConfigError(f"members must be of {', '.join(EXTRAS)}, got {', '.join(chosen)}")
    for name in chosen:
        library, extra = _NEEDED.get(name, ("numpy", ""))
        if find_spec(library) is None:
            message = f"member {name} needs {library}: pip install 'headway[{extra}]'"
            raise ConfigError(message)
    columns = columns_for("memory_bytes" if is_memory else "runtime_s", names)
    told = [n for n in columns.names if "." not in n or n.split(".")[1] in _TOLD]
    keys = [n for n in _KEYS if n in told]
    near: dict[str, Any] = {"anchors": columns.anchors, "cap": columns.cap}
    makers: dict[str, Any] = {
        "xgboosted": lambda: XGBoosted(columns.names, **near, seed=seed),
        "neural": lambda: Neural(told, keys=keys, **near, seed=seed),
        "stream": lambda: Stream(_SIZES, **near, every=_EVERY),
        "online": lambda: Online(LEVELS, every=_EVERY),
        "gaussian": lambda: Gaussian(_SIZES, cap=columns.cap, every=_EVERY),
    }
    return [(name, makers[name]()) for name in EXTRAS if name in chosen]


def load_extras(files: Mapping[str, bytes]) -> list[tuple[str, Refitted]]:
    """The members whose files are there, in the order of EXTRAS."""
    return [(name, _KINDS[name].load(files)) for name in EXTRAS if f"{name}.json" in files]
