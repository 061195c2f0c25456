"""Devices that drift against their own class, from the database of all runs."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from farm.cli.terminal.console import say
from farm.errors import FarmError
from farm.history.database import opened
from farm.history.index import update
from farm.history.place import database_of, folder_of
from farm.history.query import Wanted, series
from farm.model.run import Results
from farm.nightly.drift import drifting, kind_of
from farm.nightly.nouns import Finding, Kind, Night, State
from farm.store.sources import sources

LOOKED_AT_S = 400 * 86_400.0
"""A device that drifts is compared with what it was before, also a year later."""


def with_drifts(night: Night, results: Results, runs_dir: Path, before: State) -> Night:
    """The night with what holds of its devices, and the database with the night. What fails there is said,
    and costs no night: then nothing is known of any device. `before` is what is open since earlier nights.
    """
    try:
        where = database_of(runs_dir)
        update(where, runs_dir, sources(runs_dir), lambda *_: None)
        kinds = {one.name: kind for one in results.devices if (kind := kind_of(one.facts))}
        wanted = Wanted(folder_of(runs_dir), since_s=time.time() - LOOKED_AT_S)
        with opened(where) as connection:
            known = [one for one in series(connection, wanted) if one.key.id in night.cells]
    except FarmError as error:
        say(str(error), "yellow")
        return night
    since = {one.finding.cell: one.since for one in before.open if one.finding.kind is Kind.DRIFTS}
    judged = drifting(known, kinds, results.run_id, results.comparing.minimum_effect, since)
    found = [Finding(Kind.DRIFTS, name, "", one.sentence) for name, one in judged.items() if one]
    decided = {(Kind.DRIFTS, name, "") for name in judged}
    return replace(night, findings=(*night.findings, *found), decided=night.decided | decided)
