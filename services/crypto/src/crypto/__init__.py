"""Money that lives on a chain."""
