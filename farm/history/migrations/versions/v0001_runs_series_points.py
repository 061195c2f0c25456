"""Runs, series, contexts and points."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("stamp", sa.Text, nullable=False),
        sa.Column("started_s", sa.Double, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("farm_version", sa.Text, nullable=False),
        sa.Column("problem", sa.Text),
        sa.UniqueConstraint("folder", "key"),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("build", sa.Text, nullable=False),
        sa.UniqueConstraint("model", "device", "variant", "build"),
    )
    op.create_table(
        "context",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("traits", sa.Text, nullable=False),
    )
    op.create_table(
        "point",
        sa.Column("run", sa.Integer, sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("series", sa.Integer, sa.ForeignKey("series.id"), primary_key=True),
        sa.Column("context", sa.Integer, sa.ForeignKey("context.id")),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("median_ms", sa.Double),
        sa.Column("low_ms", sa.Double),
        sa.Column("high_ms", sa.Double),
        sa.Column("values_ms", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_point_series", "point", ["series"])
