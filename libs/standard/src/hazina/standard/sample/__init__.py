"""A service of one capability, notes: small enough to read, real enough to test the house by."""
