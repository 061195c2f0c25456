"""The plugins that are installed: entry points of other packages, found and loaded when one is needed.

Whatever a plugin is or does becomes a RunError that names it: no plugin costs more than its own result.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, redirect_stdout
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, distributions
from typing import Any

from farm.errors import FarmError, RequestError, RunError
from farm.suggest import nearest
from farm.visible import one_line

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_RULE = "letters, digits and . _ -, at most 64, the first a letter or digit"
LONGEST_NAME = 100
LONGEST_REASON = 200


class Group(StrEnum):
    """What a plugin may add: groups of entry points."""

    EXPORTERS = "farm.exporters"
    """`Results -> str | bytes`: a format of `farm export`."""
    SECTIONS = "farm.report_sections"
    """`Results -> Section | None`: a section of the report."""
    NOTIFICATIONS = "farm.notifications"
    """`(message, options) -> None`: tells somebody what a nightly has to tell."""


@dataclass(frozen=True)
class Plugin:
    """An entry point of a package. `problem`: why it is not used, though it is there."""

    group: Group
    name: str
    package: str
    version: str
    entry: EntryPoint
    problem: str | None = None

    @property
    def label(self) -> str:
        return f"{self.name} of {self.package} {self.version}".rstrip()

    def load(self) -> Any:
        """What the entry point names; it can be called. Raises RunError."""
        if self.problem:
            raise self._error(self.problem)
        found = self._guarded("cannot be loaded", self.entry.load)
        if not callable(found):
            raise self._error(f"is {one_line(type(found).__name__, LONGEST_NAME)}, which cannot be called")
        return found

    def call(self, *given: object) -> Any:
        """What it makes. Raises RunError whatever it does."""
        function = self.load()
        return self._guarded("failed", lambda: function(*given))

    def refuse(self, made: object, wanted: str) -> RunError:
        """The error of one that made something else than it should."""
        return self._error(f"made {one_line(type(made).__name__, LONGEST_NAME)} instead of {wanted}")

    def _guarded(self, what: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except KeyboardInterrupt:
            raise
        except FarmError as error:  # its text is for people
            raise self._error(f"{what}: {error.message}", error.hint) from error
        except BaseException as error:  # whatever it is, also SystemExit
            raise self._error(f"{what}: {reason_of(error)}") from error

    def _error(self, text: str, hint: str | None = None) -> RunError:
        mend = f"pip install --upgrade {self.package}, or pip uninstall {self.package}"
        return RunError(f"the plugin {self.label} {text}", hint=hint or mend)


def nothing_on_stdout() -> AbstractContextManager[object]:
    """While plugins are loaded and called: what they print goes to stderr, since stdout is for results."""
    return redirect_stdout(sys.stderr)


def reason_of(error: BaseException) -> str:
    """`ValueError: what it says`, on one line."""
    return one_line(traceback.format_exception_only(error)[-1], LONGEST_REASON)


def plugins(group: Group, own: Collection[str] = ()) -> tuple[Plugin, ...]:
    """Those of a group, by name; `own` are names that farm itself has. Nothing is loaded, and a package that
    cannot be read has none.
    """
    found = sorted(_found(group), key=lambda one: (one.name, one.package))
    return tuple(replace(one, problem=_problem(one, found, own)) for one in found)


def plugin(group: Group, name: str) -> Plugin:
    """The one of this name. Raises RequestError where there is none."""
    known = plugins(group)
    for one in known:
        if one.name == name:
            return one
    shown = one_line(name, LONGEST_NAME)
    raise RequestError(
        f"there is no plugin {shown!r} for {group}{nearest(name, [one.name for one in known])}",
        hint="install the package that has it; farm plugins list shows what is there",
    )


def _problem(one: Plugin, all_of_them: Sequence[Plugin], own: Collection[str]) -> str | None:
    if not NAME.fullmatch(one.name):
        return f"is not used: a name has {NAME_RULE}"
    if one.name in own:
        return "is not used: farm itself has this name"
    if Counter(other.name for other in all_of_them)[one.name] > 1:
        packages = " and ".join(other.package for other in all_of_them if other.name == one.name)
        return f"is not used: {packages} have the same name"
    return None


def _found(group: Group) -> Iterator[Plugin]:
    met = set()
    for installed in distributions():
        try:
            entries = list(installed.entry_points.select(group=group))
            if not entries:
                continue
            package = one_line(installed.metadata["Name"] or "?", LONGEST_NAME)
            version = one_line(installed.metadata["Version"] or "", LONGEST_NAME)
            if not _is_first(installed, package):
                continue
        except Exception:  # noqa: BLE001, S112 - half a package, which another one is not to suffer from
            continue
        for entry in entries:
            name = one_line(entry.name, LONGEST_NAME)
            if (package, name) not in met:
                met.add((package, name))
                yield Plugin(group, name, package, version, entry)


def _is_first(installed: Distribution, package: str) -> bool:
    """Whether an import finds this one: of two of the same name the first on the path."""
    try:
        return distribution(package).locate_file("") == installed.locate_file("")
    except PackageNotFoundError:
        return True
