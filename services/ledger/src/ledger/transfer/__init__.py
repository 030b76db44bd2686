"""Money from one account to another, and every transaction that was posted."""
