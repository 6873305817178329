"""What a page would load from elsewhere: nothing, so that the site is whole without a network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "link": "href",
    "source": "src",
    "video": "src",
    "audio": "src",
}
AWAY = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", re.IGNORECASE)


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = LOADED.get(tag)
        values = [value for name, value in attrs if name == wanted and value and AWAY.match(value)]
        styles = [style for name, value in attrs if name == "style" for style in IN_STYLE.findall(value or "")]
        self.found += [*values, *styles]


def loads_from_outside(folder: Path) -> list[str]:
    """Return, for each page and style sheet, what it would fetch from another host."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            parser = _Loads()
            parser.feed(path.read_text(encoding="utf-8"))
            loads = parser.found
        elif path.suffix == ".css":
            loads = IN_STYLE.findall(path.read_text(encoding="utf-8"))
        else:
            continue
        found += [f"{path.relative_to(folder)} loads {load}" for load in loads]
    return found
