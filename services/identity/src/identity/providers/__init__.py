"""The outside world, as identity speaks to it."""
