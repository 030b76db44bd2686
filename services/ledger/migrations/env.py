"""Runs the ledger's migrations as hazina.pg says."""

from hazina.pg import migrations
from ledger.tables import metadata

migrations.run(metadata)
