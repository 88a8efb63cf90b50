"""What the commands print: one document, as JSON or as a screen, and progress beside it."""

from __future__ import annotations

import json
import os
import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

import typer

from headway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.text import Text


def progress_bars() -> Any:
    """Bars on stderr for what takes long; see headway.report.progress."""
    from headway.report.progress import bars

    return bars()


def answer(document: Any, as_json: bool, screen: Callable[[Any], Any]) -> None:
    """Print a document as JSON, or as the screen made of it."""
    if as_json:
        from headway.report.numbers import plain

        _put(json.dumps(plain(document), allow_nan=False) + "\n")
        return
    from rich.console import Console

    text = StringIO()
    Console(file=text, force_terminal=sys.stdout.isatty() or None).print(screen(document))
    _put(text.getvalue())


def put_json_lines(documents: Iterable[Any]) -> None:
    """Print each of some documents as one line of JSON."""
    from headway.report.numbers import plain

    text = "".join(json.dumps(plain(one), allow_nan=False) + "\n" for one in documents)
    if text:
        _put(text)


def put_lines(lines: Sequence[Text]) -> None:
    """Print texts, each on one line however long it is."""
    from rich.console import Console

    text = StringIO()
    console = Console(file=text, force_terminal=sys.stdout.isatty() or None)
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    if lines:
        _put(text.getvalue())


def _put(text: str) -> None:
    """Write to stdout now: whoever reads it may be gone, as in a pipe to head, or its disk full."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(141) from None
        raise StoreError(
            f"the answer could not be written ({error.strerror}); free some space, run it again"
        ) from error
