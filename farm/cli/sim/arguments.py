"""Arguments that the commands of `farm sim` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LabFile = Annotated[Path, typer.Argument(help="A lab file.", metavar="LAB.yaml")]
LabDeadlines = Annotated[
    list[str] | None,
    typer.Option(
        "--deadline", help="Another limit on a wait: sim-start=S, sim-end=S; repeatable.", metavar="NAME=S"
    ),
]
