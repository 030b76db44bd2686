from hazina.standard.suite import Standard


class TestStandard(Standard):
    pass
