"""Who has a wallet, under which handle; the keys of those that we keep."""
