"""What a person wants to remember."""
