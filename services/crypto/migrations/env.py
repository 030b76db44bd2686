"""Runs crypto's migrations as hazina.pg says."""

from crypto.tables import metadata
from hazina.pg import migrations

migrations.run(metadata)
