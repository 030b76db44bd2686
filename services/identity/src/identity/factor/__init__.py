"""Challenges: questions sent to somebody, each answered once, by one winner."""
