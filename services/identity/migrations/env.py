"""Runs identity's migrations as hazina.pg says."""

from hazina.pg import migrations
from identity.tables import metadata

migrations.run(metadata)
