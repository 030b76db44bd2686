"""What an organisation subscribes to: exactly one live subscription each, Free to begin with."""
