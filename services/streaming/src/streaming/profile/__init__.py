"""People as identity tells of them, and what their organisations may use."""
