"""What the house is made of, by name."""

SERVICES = ("identity", "billing", "ledger", "crypto", "streaming")
DATABASE = "hazina"
TRACES = "traces"  # the schema, and the role, that keep spans for an hour
ISSUER = "https://identity.hazina.local"
AUDIENCE = "hazina"

# From whom each service hears: it asks them for facts that the broker no longer has.
HEARS: dict[str, tuple[str, ...]] = {
    "identity": (),
    "billing": ("identity",),
    "ledger": ("identity",),
    "crypto": ("identity",),
    "streaming": ("identity", "billing", "ledger"),
}
