"""The runtime of a device or a build, as inventories and builds files say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from farm.files import is_file, is_tree_name
from farm.inventory.entry import Entry, Texts
from farm.inventory.files import WILDCARDS, is_hidden
from farm.inventory.yaml_source import Document
from farm.model.device import Runtime, RuntimeKind


class RuntimeEntry(Entry):
    """How the device runs models: a program of its platform, or MegEngine's wheel."""

    kind: Annotated[RuntimeKind, WithJsonSchema({"type": "string", "enum": [*RuntimeKind]})] = Field(
        description="native: a load_and_run program; wheel: MegEngine's"
    )
    program: str | None = Field(None, description="native: the program, a path relative to this file")
    libraries: Texts = Field((), description="native: shared libraries pushed with it; globs are expanded")
    on_device: bool = Field(
        False, description="native: program is already on the device (a path, ~/ too, or a name in PATH)"
    )
    python: str | None = Field(
        None, description="wheel: the interpreter on the device; default: the first one found"
    )
    overlay: dict[str, str] = Field(
        {}, description="files laid over those of the program or the wheel: name there (lib/NAME), path here"
    )
    preload: Texts = Field(
        (), description="shared libraries that are loaded before all others (LD_PRELOAD), in this order"
    )

    @field_validator("overlay")
    @classmethod
    def _stay_in_the_folder(cls, values: dict[str, str]) -> dict[str, str]:
        for name in values:
            if not is_tree_name(name):
                raise ValueError(
                    f'"{name}" is no name of a file in the folder of the program: write lib/NAME'
                )
        return values

    @model_validator(mode="after")
    def _fits_its_kind(self) -> RuntimeEntry:
        if self.kind == RuntimeKind.WHEEL:
            for key in ("program", "libraries", "on_device"):
                if getattr(self, key):
                    raise ValueError(f"{key} is for kind: native, not wheel")
        elif not self.program:
            raise ValueError("kind: native requires program, the path of a load_and_run")
        elif self.python:
            raise ValueError("python is for kind: wheel, not native")
        elif self.on_device and self.libraries:
            raise ValueError(
                "libraries cannot be combined with on_device; put their folder into env.LD_LIBRARY_PATH"
            )
        elif self.on_device and self.overlay:
            raise ValueError("overlay cannot be combined with on_device: nothing is laid out there")
        return self


def runtime_of(document: Document, entry: RuntimeEntry | None) -> Runtime:
    """What an entry of a file means; without one the wheel. Paths are relative to the file."""
    if entry is None:
        return Runtime(RuntimeKind.WHEEL)
    program = entry.program
    if program and not entry.on_device:
        program = str(document.beside(program))
    libraries = [library for pattern in entry.libraries for library in _expanded(document.beside(pattern))]
    return Runtime(
        kind=entry.kind,
        program=program,
        libraries=tuple(dict.fromkeys(libraries)),
        on_device=entry.on_device,
        python=entry.python,
        overlay=tuple((str(name), str(document.beside(path))) for name, path in entry.overlay.items()),
        preload=tuple(dict.fromkeys(str(document.beside(path)) for path in entry.preload)),
    )


def _expanded(path: Path) -> list[str]:
    """The files that match a pattern in the last component; the pattern itself when there are none."""
    if not WILDCARDS.search(path.name):
        return [str(path)]
    names = (file for file in path.parent.glob(path.name) if is_hidden(file) <= is_hidden(path))
    return sorted(str(file) for file in names if is_file(file)) or [str(path)]
