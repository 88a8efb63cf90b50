"""What people thought of the answers of each version, kept up while the log grows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from headway.serve.tally import heed, opinions

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Final = 500_000  # decisions whose version is known


class Opinions:
    """Adoption and satisfaction by version as `tally` counts them; belongs to one thread."""

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}
        self._said: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._gauges: dict[str, float] | None = {}

    def take(self, record: Mapping[str, Any]) -> None:
        """One record of the log, in any order, also again."""
        id_ = record["decision_id"]
        if record["kind"] == "decision":
            if id_ not in self._versions:
                if len(self._versions) >= MOST:
                    oldest = next(iter(self._versions))
                    del self._versions[oldest]
                    self._said.pop(oldest, None)
                self._versions[id_] = record["version"]
                self._gauges = None
        elif record["kind"] == "feedback":
            heed(self._said.setdefault(id_, {}), record)
            self._gauges = None

    def gauges(self) -> dict[str, float]:
        """For /metrics: of each version of which anything is known."""
        if self._gauges is None:
            by_version = defaultdict(list)
            for id_, said in self._said.items():
                if id_ in self._versions:
                    by_version[self._versions[id_]].append(said)
            found = {version: opinions(said) for version, said in sorted(by_version.items())}
            self._gauges = {
                f'{name}{{version="{version}"}}': float(one[name])
                for name in ("adoption", "satisfaction", "ratings")
                for version, one in found.items() if one[name] is not None
            }  # fmt: skip
        return self._gauges
