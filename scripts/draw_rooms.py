"""Draws docs/rooms.svg: the rooms of farm, layer by layer, and who imports whom, read from the code.

    python scripts/draw_rooms.py           writes it
    python scripts/draw_rooms.py --check   exit code 1 when the file is not what the code says

Layers are those of the contract "imports go one way" in pyproject.toml. An arrow that follows from others
(a imports b, b imports c, a imports c) is left out, and so are those to the nouns and small tools that every
room may use.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "rooms.svg"
BOX, HEIGHT, GAP, ROW = 214, 66, 14, 108
COLOURS = {"box": "#eef3fb", "line": "#5b7db1", "text": "#1c2733", "dim": "#5a6673"}
LINE_CHARS = 33
SHIFT = 60  # every other row, so that an arrow past a box does not look like one to it
SHARED = ("model", "errors", "visible", "suggest", "files")


def layers() -> list[list[str]]:
    """The rooms of each layer, the highest first, without `farm.`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return [[room.strip().removeprefix("farm.") for room in row.split("|")] for row in contract["layers"]]


def imports(rooms: list[str]) -> set[tuple[str, str]]:
    """(importer, imported) between rooms, without those that follow from others."""
    graph = grimp.build_graph("farm", cache_dir=None)
    found = {(one, other) for one in rooms for other in rooms if one != other and _imports(graph, one, other)}
    below = {room: {other for one, other in found if one == room} for room in rooms}

    def reached(room: str) -> set[str]:
        return below[room].union(*(reached(other) for other in below[room]))

    return {
        (one, other)
        for one, other in found
        if other not in SHARED and not any(other in reached(middle) for middle in below[one] - {other})
    }


def _imports(graph: grimp.ImportGraph, one: str, other: str) -> bool:
    return graph.direct_import_exists(importer=f"farm.{one}", imported=f"farm.{other}", as_packages=True)


def purpose(room: str) -> str:
    """The first sentence of a room's docstring."""
    path = ROOT / "farm" / room
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def files(room: str) -> int:
    path = ROOT / "farm" / room
    return len([one for one in path.rglob("*.py") if one.name != "__init__.py"]) if path.is_dir() else 1


def picture() -> str:
    """The SVG."""
    rows = layers()
    width = max(map(len, rows)) * (BOX + GAP) + GAP + SHIFT
    places = {
        room: (left + column * (BOX + GAP), 20 + number * ROW)
        for number, row in enumerate(rows)
        for left in [(width - len(row) * (BOX + GAP) + GAP) // 2 + SHIFT * (number % 2)]
        for column, room in enumerate(row)
    }
    lines = [_arrow(places[one], places[other]) for one, other in sorted(imports(list(places)))]
    boxes = [_box(room, *place) for room, place in places.items()]
    height = len(rows) * ROW
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f"<defs>{_arrow_head()}</defs>",
        *lines,
        *boxes,
        "</svg>\n",
    ])  # fmt: skip


def _arrow_head() -> str:
    return (
        '<marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{COLOURS["line"]}"/></marker>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x, y = start[0] + BOX // 2, start[1] + HEIGHT
    to_x, to_y = end[0] + BOX // 2, end[1]
    if end[1] == start[1]:
        y = to_y = start[1] + HEIGHT // 2
    middle = (y + to_y) // 2
    return (
        f'<path d="M{x} {y} C{x} {middle} {to_x} {middle} {to_x} {to_y - 1}" fill="none" '
        f'stroke="{COLOURS["line"]}" stroke-opacity="0.55" marker-end="url(#a)"/>'
    )


def _box(room: str, x: int, y: int) -> str:
    count = files(room)
    title = f"{room}/" if count > 1 else f"{room}.py"
    words, lines = purpose(room).split(". ")[0].rstrip(".").split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) >= LINE_CHARS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > 2:
        lines = [lines[0], f"{lines[1]} ..."]
    texts = [
        f'<text x="{x + 10}" y="{y + 37 + 15 * number}" font-size="11" '
        f'fill="{COLOURS["dim"]}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    return (
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="6" fill="{COLOURS["box"]}" '
        f'stroke="{COLOURS["line"]}"/><text x="{x + 10}" y="{y + 20}" font-size="14" font-weight="bold" '
        f'fill="{COLOURS["text"]}">{title}</text><text x="{x + BOX - 10}" y="{y + 20}" font-size="11" '
        f'text-anchor="end" fill="{COLOURS["dim"]}">{count if count > 1 else ""}</text>' + "".join(texts)
    )


def main() -> int:
    drawn = picture()
    if "--check" in sys.argv:
        return PICTURE.read_text("utf-8") != drawn
    PICTURE.write_text(drawn, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
