"""What the ledger inherits: the promises that every service keeps."""

from hazina.standard.suite import Standard


class TestStandard(Standard):
    """The ledger keeps them all."""
