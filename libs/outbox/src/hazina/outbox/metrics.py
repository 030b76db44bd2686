"""What an operator watches: how far behind each shard is, and what was refused or repaired."""

from prometheus_client import Counter, Gauge, Histogram

SHARD = ("service", "shard")
CURSOR = ("consumer", "source", "shard")
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

published = Counter("hazina_outbox_published_total", "Facts put into the stream", SHARD)
unpublished = Gauge("hazina_outbox_unpublished", "Numbered facts not yet in the stream", SHARD)
oldest_unpublished_s = Gauge(
    "hazina_outbox_oldest_unpublished_seconds", "How long the oldest of them waits", SHARD
)
window_rows = Histogram(
    "hazina_outbox_window_rows",
    "Facts per sequencing step",
    ("service",),
    buckets=(1, 2, 5, 10, 50, 100, 500, 1_000, 10_000, 100_000),
)
cas_conflicts = Counter("hazina_outbox_cas_conflicts_total", "Stale publishes refused", SHARD)
recoveries = Counter(
    "hazina_outbox_recoveries_total", "Times the stream was compared", (*SHARD, "reason")
)
halted = Gauge("hazina_outbox_halted", "1 while the shard waits for an operator", SHARD)
leading = Gauge("hazina_outbox_leader", "1 while this process works on the shard", SHARD)

applied = Counter("hazina_inbox_applied_total", "Facts passed, unknown types included", CURSOR)
duplicates = Counter("hazina_inbox_duplicates_total", "Facts seen again and dropped", CURSOR)
gaps = Counter("hazina_inbox_gaps_total", "Times the stream lacked the next fact", CURSOR)
refilled = Counter("hazina_inbox_refilled_total", "Facts read from the source's ledger", CURSOR)
quarantined = Counter("hazina_inbox_quarantined_total", "Facts set aside", (*CURSOR, "state"))
retries = Counter("hazina_inbox_retries_total", "Transactions rolled back and tried again", CURSOR)
lag = Gauge("hazina_inbox_lag_events", "Facts in the stream not applied here", CURSOR)
apply_seconds = Histogram(
    "hazina_inbox_apply_seconds", "One transaction", ("consumer", "source"), buckets=SECONDS
)
e2e_seconds = Histogram(
    "hazina_e2e_seconds",
    "From the source's write to the effect's commit",
    ("consumer", "source"),
    buckets=SECONDS,
)
