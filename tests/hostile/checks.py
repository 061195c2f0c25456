"""What must hold after a bench of hostile devices."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from farm.visible import has_controls
from tests.hostile.attack import CANARY
from tests.hostile.bench import RUN, Benched
from tests.hostile.device import HONEST

OURS = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*A|\x1b\[2K|\r")
"""What farm itself sends to a terminal: colours, and the line of its progress. No attack sends one of these alone."""
UNSEEN = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
PLACES = {"runs", "cache"}
"""Below the folder of the bench: of these each path is farm's."""
OUR_ADDRESSES = re.compile(r"data:image/|#|(?:\./|\.\./)*[\w./%~-]*\Z|\./", re.IGNORECASE)
FORBIDDEN = {"iframe", "object", "embed", "base", "frame", "applet", "portal"}
URLS = {
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "ping",
    "srcdoc",
    "xlink:href",
    "srcset",
}
RAW = {"script", "style"}
"""Elements whose text is no markup; only `</` ends them."""


def nothing_else_was_written(benched: Benched) -> None:
    new = benched.after - benched.before
    elsewhere = [path for path in new if path.relative_to(benched.folder).parts[0] not in PLACES]
    assert not elsewhere
    assert not [
        path for path in (Path("/tmp/escaped"), Path("/escaped"), Path.cwd() / "escaped") if path.exists()
    ]
    for path in benched.run.rglob("*"):
        assert path.resolve().is_relative_to(benched.run.resolve()), path


def all_is_private(folder: Path) -> None:
    """Folders 0700, files 0600 at most."""
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode):
            assert not mode & 0o077, f"{path}: {stat.filemode(mode)}"


def text_only_came_to_the_terminal(said: bytes) -> None:
    text = OURS.sub(b"", said).decode("utf-8")
    assert not has_controls(text), sorted({repr(line) for line in text.split("\n") if has_controls(line)})[:3]
    assert not UNSEEN.search(text)


def cells_of(benched: Benched) -> dict[str, dict[str, Any]]:
    """By device. What is in the results is text that can be shown."""
    raw = (benched.run / "results.json").read_text("utf-8")
    results = json.loads(raw)
    assert results["run_id"] == RUN
    return {cell["device"]: cell for cell in results["cells"]}


def the_honest_device_lost_nothing(benched: Benched) -> None:
    cell = cells_of(benched)[HONEST]
    assert cell["status"] == "completed", cell["error"]
    assert {one["status"] for one in cell["rounds"]} == {"completed"}


class Page(HTMLParser):
    """Every tag of a page; `raw` are scripts and styles with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.raw: list[tuple[str, dict[str, str], list[str]]] = []
        self._is_raw = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        if tag in RAW:
            self._is_raw = True
            self.raw.append((tag, attributes, []))

    def handle_endtag(self, tag: str) -> None:
        self._is_raw = self._is_raw and tag not in RAW

    def handle_data(self, data: str) -> None:
        if self._is_raw:
            self.raw[-1][2].append(data)


def _active(page: Page) -> Iterator[str]:
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            is_address = name in URLS
            if (
                CANARY in name
                or name.startswith("on")
                or (is_address and not OUR_ADDRESSES.match(value))
                or (name == "style" and CANARY in value)
            ):
                yield f"<{tag} {name}={value!r:.80}>"
        is_policy = attributes.get("http-equiv", "").lower() in ("", "content-security-policy")
        if CANARY in tag or tag in FORBIDDEN or (tag == "meta" and not is_policy):
            yield f"<{tag} {attributes!r:.80}>"


def pages(benched: Benched) -> list[Path]:
    """Those that farm made; a device may have left files that are called so."""
    return [page for page in sorted(benched.run.rglob("*.html")) if "/out/" not in page.as_posix()]


def nothing_of_a_device_is_active(benched: Benched, path: Path) -> None:
    """A page of a report: only our own scripts and styles, no handler, no address but in the run's folder, and of the
    files of a device only those that each browser shows as text.
    """
    text = path.read_text("utf-8")
    page = Page(text)
    assert not list(_active(page)), path
    for tag, attributes, code in page.raw:
        if CANARY in "".join(code):
            assert (tag, attributes.get("type")) == ("script", "application/json"), path
    linked = {
        attributes["href"]
        for tag, attributes in page.tags
        if tag == "a" and "/out/" in attributes.get("href", "")
    }
    assert all(one.endswith((".txt", ".json")) or (benched.run / unquote(one)).is_dir() for one in linked)
    assert "default-src 'none'" in text
    assert not has_controls(text), path
    assert not UNSEEN.search(text), path
