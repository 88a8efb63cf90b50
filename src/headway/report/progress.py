"""Progress bars on stderr: one for each thing that is being done, gone when all is done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import TaskID


@contextmanager
def bars() -> Iterator[Callable[[str, float], None]]:
    """A function (what, share done in [0, 1]) that draws on a terminal and is silent elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as drawn:
        known: dict[str, TaskID] = {}

        def show(what: str, share: float) -> None:
            if what not in known:
                known[what] = drawn.add_task(what, total=1.0)
            drawn.update(known[what], completed=min(1.0, share))

        yield show
