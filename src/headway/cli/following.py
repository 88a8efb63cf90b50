"""The command that follows what grows: watch."""

from __future__ import annotations

import shutil
import sys
import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headway.cli.answers import progress_bars, put_json_lines, put_lines
from headway.cli.options import HOME, Home, names

if TYPE_CHECKING:
    from collections.abc import Sequence


def watch(
    series: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SERIES]", show_default=False,
            help="A CSV file that grows; nothing = the history in the home folder.",
        ),
    ] = None,
    time: Annotated[str, typer.Option(help="Column of times; default: seen from content.")] = "",
    value: Annotated[str, typer.Option(help="Column of values; default: every number.")] = "",
    detector: Annotated[
        str, typer.Option(help="auto (the ensemble), points, or names joined by commas.")
    ] = "auto",
    every: Annotated[float, typer.Option(min=0.05, max=86400, help="Seconds between looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Read what is there, and end.")] = False,
    home: Home = HOME,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each.")] = False,
) -> None:  # fmt: skip
    """Follow a growing file of series, or a home's history: a line for each new alert."""
    from headway.watching import follow

    source = follow(series, home, time=time, value=value, detectors=names(detector))
    said = _Said(as_json)
    try:
        with progress_bars() as progress:
            events = source.poll(clock.time(), is_last=once, progress=progress)
        said.tell(events, source.status())
        while not once:
            clock.sleep(every)
            said.tell(source.poll(clock.time()), source.status())
    except KeyboardInterrupt:
        pass  # how a watch ends
    finally:
        source.close()
        said.end()


class _Said:
    """What was printed: events on stdout; how far it came as a line of JSON, or on stderr.

    On a terminal that line stays below the others; elsewhere it is printed first and last.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json, self._stays = as_json, sys.stderr.isatty() and not as_json
        self._status: dict[str, Any] = {}
        self._printed: dict[str, Any] = {}

    def tell(self, events: Sequence[dict[str, Any]], status: dict[str, Any]) -> None:
        """Print what is new."""
        self._status = status
        is_due = not self._printed or (self._stays and (bool(events) or status != self._printed))
        if self._stays and is_due:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
        if self._as_json:
            put_json_lines(events)
        else:
            from headway.report.watching import aside_lines, event_lines

            sys.stderr.writelines(f"{line}\n" for line in aside_lines(events))
            put_lines(event_lines(events))
        if is_due:
            self._say_status()

    def end(self) -> None:
        """Print how far it came in the end."""
        if self._status != self._printed:
            self._say_status()
        if self._stays and self._printed:
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _say_status(self) -> None:
        self._printed = self._status
        if self._as_json:
            put_json_lines([self._status])
            return
        from headway.report.watching import status_line

        line = status_line(self._status)
        if self._stays:
            line = line[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(line if self._stays else f"{line}\n")
        sys.stderr.flush()
