"""Runs billing's migrations as hazina.pg says."""

from billing.tables import metadata
from hazina.pg import migrations

migrations.run(metadata)
