"""Identity says who is calling and what they may do: people, sessions, organisations and keys."""
