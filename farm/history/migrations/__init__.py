"""Versions of the tables, by Alembic: a file each in versions/, which stays as it is once it is released."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

FOLDER = Path(__file__).parent

HEAD = "0001"
"""The newest file of versions/."""

TABLE = "alembic_version"


class NewerError(Exception):
    """The tables are of a version that this farm does not know; the message is its name."""


def upgrade(connection: Connection) -> None:
    """Make the tables those of this version, in the transaction of the connection. Raises NewerError."""
    found = None
    if inspect(connection).has_table(TABLE):
        found = connection.scalar(select(column("version_num")).select_from(table(TABLE)))
    if found == HEAD:
        return
    from alembic import command  # takes a fifth of a second to import
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise NewerError(found)
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
