"""Runs the sample's migrations as hazina.pg says."""

from hazina.pg import migrations
from hazina.standard.sample.tables import metadata

migrations.run(metadata)
