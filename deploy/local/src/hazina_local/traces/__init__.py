"""Spans of the last hour: received, kept in PostgreSQL, drawn as waterfalls."""
