"""What was used: every event counted once, folded into days, months and windows in its commit."""
