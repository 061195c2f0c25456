"""What is remembered of a bisect: a folder of its own beside the runs, `.bisect/ID/`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from farm.bisect.nouns import Step
from farm.errors import RequestError, RunError
from farm.files import private_folder, write_atomic
from farm.store.alone import alone
from farm.store.runs import LATEST, RUN_ID
from farm.visible import cleaned, one_line, writable

FOLDER = ".bisect"
VERSION = 1
STATE, AS_JSON, AS_TEXT, LOCK = "state.json", "bisect.json", "bisect.md", "lock"
LONGEST_ID = 80
"""The names of its runs are longer."""


@dataclass(frozen=True)
class State:
    """What was asked, by the names of the options, the builds in order, and the steps so far. `texts` are the
    builds in the user's words.
    """

    asked: Mapping[str, str]
    names: tuple[str, ...]
    seed: int
    steps: tuple[Step, ...] = field(default=())
    version: int = VERSION
    texts: tuple[str, ...] = ()


_STATE: TypeAdapter[State] = TypeAdapter(State)


class Memory:
    """Of one bisect, by its name."""

    def __init__(self, runs_dir: Path, name: str) -> None:
        if not RUN_ID.match(name) or name == LATEST or len(name) > LONGEST_ID:
            raise RequestError(
                f"invalid run id {one_line(name, 100)!r}",
                hint=f"use letters, digits, dot, dash and underscore, at most {LONGEST_ID}",
            )
        self.name = name
        self._runs_dir = runs_dir
        self.folder = runs_dir / FOLDER / name
        self.state_path = self.folder / STATE

    @property
    def builds(self) -> Path:
        """Copies of builds that a command made."""
        return self.folder / "builds"

    @property
    def logs(self) -> Path:
        """What the command printed."""
        return self.folder / "logs"

    def alone(self) -> AbstractContextManager[None]:
        """Raises RequestError while the same bisect goes on elsewhere, RunError for disk errors."""
        return alone(self.folder / LOCK, f"the bisect {self.name}", "wait for it, or end it")

    def refuse_used(self) -> None:
        """Raises RequestError where there is a bisect of this name, or a run with the name of one of its."""
        if self.state_path.exists():
            raise RequestError(
                f"there is a bisect {self.name} already",
                hint=f"--resume {self.name} goes on with it; another --run-id begins a new one",
            )
        run = next(self._runs_dir.glob(f"{self.name}-step-*"), None)
        if run is not None:
            raise RequestError(f"there is a run {run.name} already", hint="begin with another --run-id")

    def begin(self, state: State) -> None:
        """Raises RequestError as `refuse_used`."""
        self.refuse_used()
        self.save(state)

    def resume(self, state: State) -> State:
        """What there is of it. Raises RequestError where it is not there, cannot be read, or `state` asks for
        something else.
        """
        found, state = self._load(), cleaned(state)
        differs = [
            f"{key}: {one_line(new or 'none', 60)}, was {one_line(old or 'none', 60)}"
            for key in (*state.asked, *found.asked)
            if (new := state.asked.get(key, "")) != (old := found.asked.get(key, ""))
        ]
        if found.names != state.names:
            differs.append(f"the builds: {_span(state.names)}, were {_span(found.names)}")
        elif found.texts != state.texts:
            pairs = zip_longest(state.names, state.texts, found.texts, fillvalue="none")
            name, new, old = next(one for one in pairs if one[1] != one[2])
            differs.append(f"the build {name}: {one_line(new, 60)}, was {one_line(old, 60)}")
        if differs:
            raise RequestError(
                f"the bisect {self.name} was asked something else: {'; '.join(dict.fromkeys(differs))}",
                hint="ask the same, or begin a new one without --resume",
            )
        return found

    def save(self, state: State) -> None:
        """Raises RunError for disk errors."""
        self._write(STATE, _STATE.dump_json(cleaned(state), indent=1))

    def tell(self, as_json: str, as_text: str) -> None:
        """The summaries. Raises RunError for disk errors."""
        self._write(AS_JSON, writable(as_json).encode())
        self._write(AS_TEXT, writable(as_text).encode())

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_atomic(private_folder(self.folder) / name, data)
        except OSError as error:
            raise _cannot(error, self.folder / name) from error

    def _load(self) -> State:
        hint = "begin a new one without --resume"
        try:
            found = _STATE.validate_json(self.state_path.read_bytes())
        except FileNotFoundError as error:
            raise RequestError(
                f"there is no bisect {self.name} in {self.folder.parent}", hint=hint
            ) from error
        except (OSError, ValidationError, ValueError) as error:
            raise RequestError(
                f"{self.state_path} cannot be read ({type(error).__name__})", hint=hint
            ) from error
        if found.version != VERSION:
            raise RequestError(
                f"{self.state_path} is of version {found.version}, this farm reads {VERSION}", hint=hint
            )
        return found


def _span(names: tuple[str, ...]) -> str:
    return f"{len(names)} from {names[0]} to {names[-1]}" if names else "none"


def _cannot(error: OSError, path: Path) -> RunError:
    return RunError(f"cannot write {error.filename or path}: {error.strerror}", hint="use another --runs-dir")
