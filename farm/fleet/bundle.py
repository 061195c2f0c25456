"""A lane as a document: its part of the plan, with files by digest in the place of paths.

What only its site knows is not in it: keys, address, environment and power of the device come from the
inventory of the worker that runs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from farm.errors import RequestError
from farm.files import is_file, sha256_of
from farm.fleet.nouns import VERSION
from farm.model.device import Address, Device
from farm.model.limits.cooling import Cooldown
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Plan
from farm.plan.matrix import cells_of

FILE = re.compile(r"([0-9a-f]{64})/([^/\0]+)\Z")
MOST_BYTES = 64 << 20
"""Of a lane's document."""
FOREIGN = "submit it again with this version of farm; a lane that nobody submitted: farm runs cancel"
OF_THE_SITE = (
    "address", "environment", "power", "relay", "source", "groups", "attributes", "runtime", "tags"
)  # fmt: skip
"""What of a device may be otherwise in the inventory of the worker than in that of who submitted."""


@dataclass(frozen=True)
class How:
    """How a run is measured, and who asked for it with which command."""

    run: str
    user: str
    command: tuple[str, ...]
    started_at: str
    deadlines: Deadlines = Deadlines()
    cooldown: Cooldown | None = None


@dataclass(frozen=True)
class LaneDocument:
    """One lane. `plan` has files as `<digest>/<name>`, which `files` has with whether they are executable;
    `traits` are what the device was planned with.
    """

    version: str
    device: str
    how: How
    plan: dict[str, Any]
    files: dict[str, bool]
    traits: dict[str, Any]


@cache
def _plan() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan)


@cache
def _device() -> TypeAdapter[Device]:
    return TypeAdapter(Device)


@cache
def _lane() -> TypeAdapter[LaneDocument]:
    return TypeAdapter(LaneDocument)


def make_readers() -> None:
    """Make what documents are read with, which takes a tenth of a second: not in an event loop."""
    for make in (_plan, _device, _lane):
        make()


def part_of(plan: Plan, device: Device) -> Plan:
    """The plan of one device."""
    cells = cells_of(plan, device)
    ids = {cell.id for cell in cells}
    return replace(
        plan,
        devices=(device,),
        cells=cells,
        skips=(),
        duels=tuple(
            duel for duel in plan.duels_on.get(device.name, ()) if {duel.baseline, duel.candidate} <= ids
        ),
    )


def lane_document(plan: Plan, device: Device, how: How) -> tuple[bytes, dict[str, Path]]:
    """The document of a device's lane, and where the files are that it names, by digest.

    Raises RequestError for a file that cannot be read.
    """
    part = _without_the_site(part_of(plan, device))
    packed = _Packed({}, {})
    tree = _walk(_plan().dump_python(part, mode="json"), packed.reference)
    document = LaneDocument(VERSION, device.name, how, tree, packed.files, traits_of(device))
    # Python's own writer: a name that is no UTF-8 comes back as it was.
    return json.dumps(_lane().dump_python(document, mode="json"), sort_keys=True).encode(), packed.paths


def read_lane(data: bytes, run: str, device: str) -> LaneDocument:
    """Raises RequestError for what is no lane, one of another version, or another lane than its id says."""
    try:
        value = json.loads(data)
        if isinstance(value, dict) and value.get("version") != VERSION:
            raise RequestError(
                f"it was submitted by {value.get('version')}, and this is {VERSION}",
                hint="use one version of farm for all of a fleet, or submit again",
            )
        lane = _lane().validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "top"
        why = f"its document is none of farm's: {where}: {first['msg']}"
        raise RequestError(why, hint=FOREIGN) from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"its document is none of farm's: {error}", hint=FOREIGN) from error
    if (lane.how.run, lane.device) != (run, device):
        raise RequestError(f"its document is that of {lane.how.run}/{lane.device}", hint=FOREIGN)
    for name in lane.files:
        found = FILE.match(name)
        if found is None or found[2] in {".", ".."}:
            raise RequestError(f"its document names the file {name!r}", hint=FOREIGN)
    return lane


def plan_of(lane: LaneDocument, root: Path, device: Device | None = None) -> Plan:
    """The plan of a lane, with its files below `root`, and the `device` as its site knows it.

    Raises RequestError where it is no plan, its device is not what it was planned for, or it names a file
    that is not the lane's own: keys of the worker's machine would be pushed like a model.
    """
    place: Callable[[str], str] = lambda text: str(root / text) if text in lane.files else text  # noqa: E731
    try:
        plan = _plan().validate_python(_walk(lane.plan, place))
    except (ValidationError, RecursionError) as error:
        raise RequestError("its plan is none of this farm's", hint=FOREIGN) from error
    names = {one.name for one in (*plan.devices, *(cell.device for cell in plan.cells))}
    if names != {lane.device}:
        raise RequestError("its plan is for other devices than its id says", hint=FOREIGN)
    _require_own_files(plan, {str(root / name) for name in lane.files})
    return plan if device is None else _at_its_site(plan, device, lane.traits)


def _require_own_files(plan: Plan, own: set[str]) -> None:
    """Of the plan as it was read: whatever a document leaves out has its place in it."""

    def check(text: str) -> str:
        if text not in own:
            raise RequestError(f"its plan names the file {text!r}", hint=FOREIGN)
        return text

    _walk(_plan().dump_python(plan, mode="json"), check)


def _at_its_site(plan: Plan, own: Device, traits: Mapping[str, Any]) -> Plan:
    now = traits_of(own)
    apart = sorted(key for key in {*now, *traits} if now.get(key) != traits.get(key))
    if apart:
        raise RequestError(
            f"{own.name} is not in this worker's inventory what it was planned for: {', '.join(apart)}",
            hint="give the worker the inventory of who submitted, and submit again",
        )

    def here(planned: Device) -> Device:
        return replace(own, runtime=planned.runtime)

    return replace(
        plan,
        devices=tuple(map(here, plan.devices)),
        cells=tuple(replace(cell, device=here(cell.device)) for cell in plan.cells),
    )


def _without_the_site(plan: Plan) -> Plan:
    @lru_cache
    def bare(device: Device) -> Device:
        """What is secret, or only of use at the site."""
        return replace(
            device, address=Address(device.address.host), environment=(), power=None, relay=None, source=None
        )

    return replace(
        plan,
        devices=tuple(map(bare, plan.devices)),
        cells=tuple(replace(cell, device=bare(cell.device)) for cell in plan.cells),
    )


def traits_of(device: Device) -> dict[str, Any]:
    """What of a device must be the same for who plans and who measures; of its environment the names."""
    value: dict[str, Any] = _device().dump_python(device, mode="json")
    kept = {key: one for key, one in value.items() if key not in OF_THE_SITE}
    return kept | {"env": sorted(name for name, _ in device.environment)}


@dataclass(frozen=True)
class _Packed:
    """The files that are met in a plan."""

    files: dict[str, bool]
    paths: dict[str, Path]

    def reference(self, text: str) -> str:
        """What stands for a path in the document. Raises RequestError."""
        path = Path(text)
        try:
            if not is_file(path):
                raise RequestError(f"no such file: {text}", hint="a lane takes its files along")
            sha256 = _digest(path, path.stat().st_mtime_ns)
            executable = bool(path.stat().st_mode & 0o100)
        except OSError as error:
            raise RequestError(f"cannot read {text}: {error.strerror or error}") from error
        name = f"{sha256}/{path.name}"
        self.files[name] = executable
        self.paths[sha256] = path
        return name


@lru_cache(4096)
def _digest(path: Path, _changed_ns: int) -> str:
    return sha256_of(path)


ARTIFACT = {"name", "sha256", "size_bytes", "path", "executable"}
RUNTIME = {"kind", "program", "libraries", "on_device", "overlay", "preload"}


def _walk(value: Any, file: Callable[[str], str]) -> Any:
    """The tree of a plan with `file` of each path of a file that is pushed."""
    if isinstance(value, dict):
        if value.keys() == ARTIFACT:
            return value | {"path": file(str(value["path"]))}
        if value.keys() >= RUNTIME:
            return value | dict(_runtime(value, file))
        return {key: _walk(one, file) for key, one in value.items()}
    return [_walk(one, file) for one in value] if isinstance(value, list) else value


def _runtime(value: Mapping[str, Any], file: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    if value["program"] is not None and not value["on_device"]:
        yield "program", file(str(value["program"]))
    if not value["on_device"]:
        yield "libraries", [file(str(one)) for one in value["libraries"]]
    yield "overlay", [[name, file(str(path))] for name, path in value["overlay"]]
    yield "preload", [file(str(one)) for one in value["preload"]]
