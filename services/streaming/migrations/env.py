"""Runs streaming's migrations as hazina.pg says."""

from hazina.pg import migrations
from streaming.tables import metadata

migrations.run(metadata)
