"""A page taken apart: its visible words, its elements, and whatever it might ask of a network."""

from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "br", "line"}


class Page(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def text(self) -> str:
        tips = [a.get("data-tip") or a.get("aria-label") or "" for _, a in self.elements]
        return " ".join(self.words + tips)

    def sections(self) -> list[str]:
        return [str(a["id"]) for tag, a in self.elements if tag == "section"]

    def addresses(self) -> list[str]:
        named = ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
        return [str(a[n]) for _, a in self.elements for n in named if a.get(n)]
