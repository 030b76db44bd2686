"""Kill everything, lose everything, then count: is every fact applied exactly once, in order?"""
