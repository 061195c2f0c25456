"""`farm schema`: JSON Schemas for editors and scripts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from farm.cli.terminal.json_output import show_json
from farm.inventory import acknowledged, builds, suite
from farm.inventory import devices as inventory
from farm.sim.lab import reader as lab
from farm.store.codec import results_schema

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm schema inventory > inventory.schema.json"}


class Document(StrEnum):
    INVENTORY = "inventory"
    SUITE = "suite"
    BUILDS = "builds"
    ACKNOWLEDGED = "acknowledged"
    LAB = "lab"
    RESULTS = "results"


SCHEMAS = {
    Document.INVENTORY: inventory.schema,
    Document.SUITE: suite.schema,
    Document.BUILDS: builds.schema,
    Document.ACKNOWLEDGED: acknowledged.schema,
    Document.LAB: lab.schema,
    Document.RESULTS: results_schema,
}


def command(document: Annotated[Document, typer.Argument(help="Which document.")]) -> None:
    """Print the JSON Schema of an inventory, a suite, a builds file, acknowledgements, a lab or results."""
    show_json(SCHEMAS[document]())
