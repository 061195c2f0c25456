"""The tables of the database. A change here is a new file in migrations/versions/."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

RUN = Table(
    "run",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("folder", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("stamp", Text, nullable=False),
    Column("started_s", Double, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("farm_version", Text, nullable=False),
    Column("problem", Text),
    UniqueConstraint("folder", "key"),
)
"""A run by the folder of the runs and its name in it: one database may have several folders. `stamp` changes
when the files of the run do; `problem`: why it cannot be read.
"""

SERIES = Table(
    "series",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("device", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("variant", Text, nullable=False),
    Column("build", Text, nullable=False),
    UniqueConstraint("model", "device", "variant", "build"),
)

CONTEXT = Table(
    "context",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("traits", Text, nullable=False),
)
"""What numbers belong to, once for all that share it: `traits` is JSON, `digest` its SHA-256."""

POINT = Table(
    "point",
    METADATA,
    Column("run", Integer, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("series", Integer, ForeignKey("series.id"), primary_key=True),
    Column("context", Integer, ForeignKey("context.id")),
    Column("status", Text, nullable=False),
    Column("cause", Text),
    Column("median_ms", Double),
    Column("low_ms", Double),
    Column("high_ms", Double),
    Column("values_ms", LargeBinary, nullable=False),
    Index(None, "series"),
)
"""A cell of a run. `values_ms` are float64, little-endian, one for each round that may be compared."""
