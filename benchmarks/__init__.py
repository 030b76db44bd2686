"""Bars: each file measures one, as a figure against a baseline of the same run."""
