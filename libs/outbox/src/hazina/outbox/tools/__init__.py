"""What an operator can see and do: the `hazina outbox` and `hazina inbox` commands call these.

Each takes the service's own database, and the broker where it is needed.
"""

from hazina.outbox.tools.consuming import (
    Lag,
    Quarantined,
    bootstrap,
    discard,
    lag,
    quarantined,
    replay,
    reset,
    show,
    unpark,
)
from hazina.outbox.tools.publishing import (
    Mismatch,
    ShardStatus,
    Window,
    prune,
    republish,
    resolve_divergence,
    status,
    verify,
    windows,
)

__all__ = [
    "Lag",
    "Mismatch",
    "Quarantined",
    "ShardStatus",
    "Window",
    "bootstrap",
    "discard",
    "lag",
    "prune",
    "quarantined",
    "replay",
    "republish",
    "reset",
    "resolve_divergence",
    "show",
    "status",
    "unpark",
    "verify",
    "windows",
]
