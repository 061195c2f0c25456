"""The builds of an order, each got when it is asked for: of a builds file, a folder, or made by a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.bisect.command import Maker, Skip
from farm.bisect.folders import build_in
from farm.bisect.kept import MadeBy, is_whole, keep, kept
from farm.bisect.order import Order
from farm.model.build import Build

Get = Callable[[int], Build | str]
"""The build at a place of the order, or why it has none. Raises RequestError and RunError."""


@dataclass(frozen=True)
class Builds:
    """The order with its builds. `is_of_file`: a request names them, and the builds file has them. `is_made`:
    to get one may take long, and writes to the folder of the bisect.
    """

    order: Order
    get: Get
    is_of_file: bool = False
    is_made: bool = False


def of_file(order: Order, builds: Sequence[Build]) -> Builds:
    """Those of a builds file, in the order of `order`."""
    by_name = {build.name: build for build in builds}

    def get(place: int) -> Build | str:
        build = by_name[order.names[place]]
        return is_whole(build) or build

    return Builds(order, get, is_of_file=True)


def of_folders(order: Order) -> Builds:
    def get(place: int) -> Build | str:
        found = build_in(Path(order.texts[place]), order.names[place])
        return found if isinstance(found, str) else is_whole(found) or found

    return Builds(order, get)


def of_command(order: Order, maker: Maker, folder: Path) -> Builds:
    """Made when they are asked for, and copied to `folder`, so that each is made once."""

    def get(place: int) -> Build | str:
        name = order.names[place]
        by = MadeBy(maker.command, order.texts[place])
        here = kept(folder / name, by)
        if here is not None:
            return here
        made = maker.make(order.texts[place], name)
        if isinstance(made, Skip):
            return made.why
        found = build_in(made, name)
        if isinstance(found, str):
            return found
        return is_whole(found) or keep(found, folder / name, by)

    return Builds(order, get, is_made=True)
