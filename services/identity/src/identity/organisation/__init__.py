"""Organisations and who belongs to them; everybody has a personal one that stays."""
