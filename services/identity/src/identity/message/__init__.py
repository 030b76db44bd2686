"""Mail to people: queued in the transaction that wants it, sent afterwards, at least once."""
