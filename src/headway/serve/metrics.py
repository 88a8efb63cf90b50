"""Counts and times of requests, in the text format that Prometheus reads."""

from __future__ import annotations

from collections import Counter
from typing import Final

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Metrics:
    """What a server has counted since it started; belongs to one thread."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._within = [0] * (len(BOUNDS_S) + 1)
        self._seconds = 0.0

    def count(self, route: str, status: int, seconds: float) -> None:
        """One request that was answered."""
        self._requests[route, status] += 1
        place = next((i for i, bound in enumerate(BOUNDS_S) if seconds <= bound), len(BOUNDS_S))
        self._within[place] += 1
        self._seconds += seconds

    def text(self, gauges: dict[str, float]) -> str:
        """Everything, with some values as of now beside it."""
        lines = ["# TYPE headway_requests_total counter"]
        lines += [
            f'headway_requests_total{{route="{route}",status="{status}"}} {n}'
            for (route, status), n in sorted(self._requests.items())
        ]
        lines.append("# TYPE headway_request_seconds histogram")
        reached = 0
        for bound, n in zip((*BOUNDS_S, "+Inf"), self._within, strict=True):
            reached += n
            lines.append(f'headway_request_seconds_bucket{{le="{bound}"}} {reached}')
        lines.append(f"headway_request_seconds_sum {self._seconds:.6f}")
        lines.append(f"headway_request_seconds_count {reached}")
        typed = ""
        for name, value in gauges.items():
            bare = name.partition("{")[0]  # gauges of one name with several labels stand together
            lines += [] if bare == typed else [f"# TYPE headway_{bare} gauge"]
            lines.append(f"headway_{name} {value!r}".removesuffix(".0"))
            typed = bare
        return "\n".join(lines) + "\n"
