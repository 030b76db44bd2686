"""Where chains and secrets are met; nothing else in crypto knows a key or a curve."""
