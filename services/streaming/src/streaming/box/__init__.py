"""Video boxes: a place for one camera each, and the decision whether it runs."""
