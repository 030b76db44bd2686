"""The signing keys: one signs, the next is already published, the last still verifies."""
