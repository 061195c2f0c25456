"""Versions of the tables, by Alembic: a file each in versions/, which stays as it is once it is released."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

FOLDER = Path(__file__).parent


class NewerError(Exception):
    """The tables are of a version that this farm does not know; the message is its name."""


def upgrade(connection: Connection) -> None:
    """Make the tables those of this version, in the transaction of the connection. Raises NewerError."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    if found == scripts.get_current_head():
        return
    if found is not None and found not in {one.revision for one in scripts.walk_revisions()}:
        raise NewerError(found)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
