"""Money set aside until it is captured, given back, or its time is over."""
