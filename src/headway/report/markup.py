"""HTML in small pieces: what is not yet Html is escaped on its way in."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NewType

from headway.errors import StoreError
from headway.report.numbers import clean, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Html = NewType("Html", str)
"""Text that is safe to put into a page."""

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%230b7a75'/%3E%3Cpath d='M4 4v8m0-4h8m0-4v8' "
    "stroke='white' stroke-width='2'/%3E%3C/svg%3E"
)


def text(value: object, most: int = 400) -> Html:
    """A text of unknown origin as a page can show it."""
    return Html(escape(clean(value, most)))


def join(parts: Iterable[Html], between: str = "") -> Html:
    """Pieces one after another."""
    return Html(between.join(p for p in parts if p))


def tag(element: str, *children: Html, **attributes: str) -> Html:
    """An element; `class_` is class, `aria_label` is aria-label; empty attributes are left out."""
    said = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(clean(value, len(value)))}"'
        for name, value in attributes.items()
        if value
    )
    return Html(f"<{element}{said}>{join(children)}</{element}>")


def paragraph(sentence: str, class_: str = "") -> Html:
    """A paragraph of plain words; nothing for an empty one."""
    return tag("p", text(sentence, 2000), class_=class_) if sentence else Html("")


def bullets(sentences: Iterable[str], class_: str = "") -> Html:
    """A list of plain sentences; nothing for none."""
    rows = [tag("li", text(s, 2000)) for s in sentences]
    return tag("ul", *rows, class_=class_) if rows else Html("")


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    caption: str = "",
    strong: Iterable[int] = (),
) -> Html:
    """A table of plain texts that scrolls on a narrow screen; first column left, others right.

    strong: numbers of the rows that stand out, from 0.
    """
    standing_out = set(strong)
    head = tag("tr", *[tag("th", text(h), scope="col") for h in heads])
    body = []
    for number, (first, *rest) in enumerate(rows):
        cells = [tag("th", text(first), scope="row"), *[tag("td", text(c)) for c in rest]]
        body.append(tag("tr", *cells, class_="strong" if number in standing_out else ""))
    said = tag("caption", text(caption)) if caption else Html("")
    inner = tag("table", said, tag("thead", head), tag("tbody", *body))
    return tag(
        "div", inner, class_="scroll", role="region", tabindex="0", aria_label=caption or heads[0]
    )


def unfold(summary: str, *children: Html) -> Html:
    """Details that are shown on request."""
    return tag("details", tag("summary", text(summary)), *children)


def section(name: str, title: str, *children: Html) -> Html:
    """A part of a page with its heading; nothing if it has no content."""
    inner = join(children)
    return tag("section", tag("h2", text(title)), inner, id=name) if inner else Html("")


def whole_page(title: str, body: Html) -> str:
    """A complete document that asks nothing of any network: its policy forbids it."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n"
        f'<link rel="icon" href="{ICON}">\n<style>\n{style}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def write_whole(path: Path, content: str) -> None:
    """Write a file all or not at all; StoreError says why it was not written."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content.encode("utf-8", "replace"))
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        message = (
            f"report {path} could not be written ({error.strerror or error}); "
            "free some space or name another folder with --report"
        )
        raise StoreError(message) from error


def write_page(document: dict[str, Any], page: str, folder: Path) -> Path:
    """Write a page as index.html and its document as summary.json, each whole or not at all.

    The page's path; StoreError if the folder cannot be written.
    """
    summary = json.dumps(plain(document), allow_nan=False, indent=1)
    write_whole(folder / "summary.json", summary + "\n")
    write_whole(folder / "index.html", page)
    return folder / "index.html"
