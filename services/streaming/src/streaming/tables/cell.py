"""Which process decides about which cell."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, SmallInteger, Table, Text

from streaming.tables.metadata import metadata, times

presence_cell_leases = Table(
    "presence_cell_leases",
    metadata,
    Column("cell", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner", Text, comment="The replica that decides; empty when free."),
    Column(
        "epoch",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Grows by one with each takeover: what an older owner decides is refused.",
    ),
    Column("expires_at", DateTime(timezone=True)),
    Column("state", Text, nullable=False, server_default="free"),
    *times(),
    CheckConstraint("cell between 0 and 63", name="presence_cell_leases_cell_known"),
    CheckConstraint("state in ('free', 'warming', 'ready')", name="presence_cell_leases_state"),
    comment="The lease of each of the 64 cells. A transition holds the row, so that a takeover"
    " waits for it: this is the fence.",
)

presence_replicas = Table(
    "presence_replicas",
    metadata,
    Column("replica_id", Text, primary_key=True),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    *times(),
    comment="The processes that may own cells, and when each was last heard.",
)
