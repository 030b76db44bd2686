"""Who holds what: accounts, the limits and freezes on them, and what their owners may read."""
