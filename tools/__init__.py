"""What keeps the house tidy: lints of our own, import rules, scaffolding."""
