"""Signing in: a password or a code, slowed for whoever guesses and never for the owner."""
