from hazina.standard.suite import Standard


class TestStandard(Standard):
    """Streaming keeps every promise of the house."""
