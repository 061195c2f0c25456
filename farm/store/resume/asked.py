"""`request.json` of a run: what was asked for, so that a later process can make the same plan again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from farm.errors import RequestError
from farm.files import write_atomic
from farm.model.limits.cooling import Cooldown
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Request

REQUEST = "request.json"
VERSION = 1


@dataclass(frozen=True)
class Asked:
    """A request, and how it was to be measured. Its relative paths begin in `folder`, where it was made."""

    version: int
    folder: Path
    request: Request
    deadlines: Deadlines = Deadlines()
    cooldown: Cooldown | None = None


@cache
def _asked() -> TypeAdapter[Asked]:
    return TypeAdapter(Asked)


def keep_asked(run: Path, asked: Asked) -> None:
    """Write it into the folder of a run. Raises OSError."""
    # Python's own writer: a name that is no UTF-8 comes back as it was.
    text = json.dumps(_asked().dump_python(asked, mode="json"), indent=1)
    write_atomic(run / REQUEST, text.encode() + b"\n")


def read_asked(run: Path) -> Asked:
    """Raises RequestError for a run that has none, and for one of another version of farm."""
    path = run / REQUEST
    try:
        value = json.loads(path.read_bytes())
        if isinstance(value, dict) and value.get("version") != VERSION:
            raise RequestError(
                f"unsupported version {value.get('version')}; this farm reads version {VERSION}",
                source=str(path),
                hint="use the version of farm that wrote it",
            )
        return _asked().validate_python(value)
    except FileNotFoundError as error:
        raise RequestError(
            f"run {run.name} does not say what was asked for: {REQUEST} is missing",
            hint="only what `farm bench` and commands that use it measure can be resumed",
        ) from error
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "top"
        raise RequestError(f"not a request: {where}: {first['msg']}", source=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"not a request: {error}", source=str(path)) from error
