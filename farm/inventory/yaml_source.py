"""YAML files of inventories, suites and builds: text in, checked entries out, mistakes with their line.

The file is composed into ruamel.yaml's node tree, not
constructed into objects: the nodes keep the line and the exact text of every scalar, so a number
in place of a name (`soc: 3588`, `VERSION: 1.10`) stays as it was typed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from farm.errors import RequestError
from farm.files import tidy, user_path
from farm.inventory.entry import MESSAGES, NAME, NAME_RULE, Entry, message_of
from farm.inventory.files import absolute
from farm.inventory.mistakes import Mistake, refuse
from farm.visible import has_controls, one_line, visible

Place = tuple[str | int, ...]
"""The position of a value in its file: keys and list indices from the top."""

MOST_BYTES = 16 << 20
"""Of one file: `/dev/zero`, or a model in the place of a suite, would fill the memory."""

NODE_LIMIT = 200_000
"""Values in one file with aliases expanded: a bound against nested aliases."""

DEPTH_LIMIT = 32

MESSAGE_LIMIT = 300
"""Characters of one message; quoted text may be of any length."""

QUOTE = 'put text that starts with * & ! or @, or contains ": ", into quotes'

SINGULAR = {
    "devices": "device",
    "groups": "group",
    "models": "model",
    "variants": "variant",
    "include": "include rule",
    "exclude": "exclude rule",
    "builds": "build",
}

_Entry = TypeVar("_Entry", bound=Entry)


class Scalar(str):
    """The text of a YAML scalar; `value` is its YAML value."""

    __slots__ = ("value",)
    value: bool | int | float | str


@dataclass
class Document:
    """A file that was read. `mistakes` collects its mistakes; `refuse` raises them together."""

    name: str
    folder: Path
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def source(self, place: Place) -> str:
        """`file:line` of a place, or of the nearest enclosing place in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.name}:{self.lines.get(place, 1)}"

    def beside(self, path: str) -> Path:
        """A path in the file: relative to its folder, with ~ expanded."""
        return tidy(absolute(self.folder) / user_path(path))

    def report(self, place: Place, text: str) -> None:
        """Add a mistake at `place`."""
        where = in_words(place)
        self._add(self.source(place), f"{where}: {text}" if where else text)

    def report_line(self, line: int, place: Place, text: str) -> None:
        """Add a mistake at `place` that is in another line than the one known for it."""
        self._add(f"{self.name}:{line}", f"{in_words(place)}: {text}")

    def _add(self, source: str, text: str) -> None:
        self.mistakes.append(Mistake(source, one_line(text, MESSAGE_LIMIT)))

    def check(self, model: type[_Entry], place: Place, data: object) -> _Entry | None:
        """`data` at `place` as a `model`; None when it has mistakes (all reported)."""
        try:
            return model.model_validate({} if data is None else data)
        except ValidationError as error:
            for detail in error.errors():
                loc = tuple(step for step in detail["loc"] if step != "[key]")
                self.report(place + loc, message_of(model, detail))
            return None

    def check_name(self, place: Place) -> bool:
        """Whether the last key of `place` is a valid name; reported when not."""
        if NAME.fullmatch(str(place[-1])):
            return True
        self.report(place, f"not a name: {NAME_RULE}")
        return False

    def mapping(self, key: str) -> dict[str, Any]:
        """The mapping under a top-level key; empty when it is absent or not a mapping (reported)."""
        found = self.data.get(key)
        if found is None or isinstance(found, dict):
            return found or {}
        self.report((key,), MESSAGES["dict_type"])
        return {}

    def listing(self, key: str) -> list[Any]:
        """The list under a top-level key; empty when it is absent or not a list (reported)."""
        found = self.data.get(key)
        if found is None or isinstance(found, list):
            return found or []
        self.report((key,), MESSAGES["list_type"])
        return []

    def refuse(self) -> None:
        """Raise RequestError when there are mistakes."""
        refuse(self.mistakes)


def in_words(place: Place) -> str:
    """`("devices", "arm-1", "runtime", "kind")` as `device arm-1, runtime.kind`."""
    if len(place) > 1 and place[0] in SINGULAR:
        second = place[1] + 1 if isinstance(place[1], int) else place[1]
        head = [f"{SINGULAR[str(place[0])]} {second}"]
        rest = place[2:]
    else:
        head, rest = [], place
    tail = ""
    for step in rest:
        tail += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if tail else step
    return ", ".join([*head, *([tail] if tail else [])])


# --------------------------------------------------------------------------- reading


def read(path: Path) -> Document:
    """The file at `path`, which must be a mapping.

    Raises RequestError when it cannot be read or is not YAML. Duplicate keys are added to the
    document's `mistakes`.
    """
    name = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError("not a UTF-8 text file", source=name) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise RequestError(f"cannot read the file: {reason}", source=name) from error
    if len(data) > MOST_BYTES:
        raise RequestError(f"larger than {MOST_BYTES >> 20} MiB: not a file of this kind", source=name)
    return parse(text, name, path.parent)


def parse(text: str, name: str, folder: Path) -> Document:
    """`text` as a document called `name`; see `read`."""
    document = Document(name, folder)
    root = _composed(text, f"{name}:1")
    if root is None:
        return document
    if not isinstance(root, MappingNode):
        raise RequestError('not a mapping of "key: value" lines', source=f"{name}:1")
    try:
        document.data = _Reader(document).mapping(root, ())
    except RecursionError as error:  # a mapping that merges itself
        raise RequestError("nested too deeply", source=f"{name}:1") from error
    return document


def _composed(text: str, source: str) -> Node | None:
    """By libyaml, which is eight times as fast. It knows less of YAML 1.2 (`{a: b:c}`), and says less of what
    is wrong: what it refuses, the parser in Python judges.
    """
    with contextlib.suppress(Exception):
        return cast("Node | None", YAML(typ="safe", pure=False).compose(text))
    yaml = YAML(typ="rt", pure=True)
    yaml.composer.warn_double_anchors = False
    with _translated(source):
        return cast("Node | None", yaml.compose(text))


@contextlib.contextmanager
def _translated(source: str) -> Iterator[None]:
    """Errors of ruamel.yaml as RequestErrors. It lets many kinds through: `!!int ""` is an IndexError."""
    try:
        yield
    except RecursionError as error:
        raise RequestError("nested too deeply", source=source) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark:
            source = f"{source.rpartition(':')[0]}:{mark.line + 1}"
        raise RequestError(
            f"not YAML: {error.problem or error.context}", source=source, hint=QUOTE
        ) from error
    except Exception as error:
        problem = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RequestError(f"not YAML: {problem}", source=source) from error


class _Reader:
    """Turns nodes into dicts, lists and scalars, and records the line of every place."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._constructor = YAML(typ="safe", pure=True).constructor
        self._seen = 0

    def value(self, node: Node, place: Place) -> Any:
        self._seen += 1
        if self._seen > NODE_LIMIT or len(place) > DEPTH_LIMIT:
            raise RequestError("nested too deeply, or too large", source=self._document.source(place))
        if isinstance(node, MappingNode):
            return self.mapping(node, place)
        if isinstance(node, SequenceNode):
            return self._sequence(node, place)
        return self._scalar(node, place)

    def mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for target in reversed([*self._merged(node, place)]):
            result |= self.mapping(target, place)
        own: set[str] = set()
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                continue
            if not isinstance(key_node, ScalarNode):
                self._document.report(place, "a key must be a scalar")
                continue
            key = self._readable(key_node, place)
            here = (*place, key)
            if key in own:
                first = self._document.lines[here]
                self._document.report_line(
                    key_node.start_mark.line + 1, here, f"duplicate key, first in line {first}"
                )
                continue
            own.add(key)
            self._document.lines[here] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, here)
        return result

    def _merged(self, node: MappingNode, place: Place) -> Iterator[MappingNode]:
        """The mappings under `<<`; of two, the keys of the first take precedence."""
        for key_node, value_node in node.value:
            if not _is_merge(key_node):
                continue
            targets = value_node.value if isinstance(value_node, SequenceNode) else [value_node]
            for target in targets:
                self._seen += 1
                if self._seen > NODE_LIMIT:
                    raise RequestError("too many << merges", source=self._document.source(place))
                if isinstance(target, MappingNode):
                    yield target
                else:
                    self._document.report_line(key_node.start_mark.line + 1, place, "<< requires a mapping")

    def _sequence(self, node: SequenceNode, place: Place) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            here = (*place, index)
            self._document.lines[here] = item.start_mark.line + 1
            items.append(self.value(item, here))
        return items

    def _scalar(self, node: Node, place: Place) -> Scalar | None:
        with _translated(self._document.source(place)):
            constructed = self._constructor.construct_object(node)
        if constructed is None:
            return None
        scalar = Scalar(self._readable(node, place))
        scalar.value = constructed if isinstance(constructed, bool | int | float) else str(scalar)
        return scalar

    def _readable(self, node: Node, place: Place) -> str:
        """The text of a scalar, without control codes and lone surrogates."""
        text = str(node.value)
        if not has_controls(text):
            return text
        self._document.report_line(node.start_mark.line + 1, place, "contains a control character")
        return visible(text)


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.tag == "tag:yaml.org,2002:merge"
