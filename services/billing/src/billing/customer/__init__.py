"""Who is billed: one row for each organisation, which is also the lock of all it has here."""
