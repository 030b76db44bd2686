"""Plans, what each version of them allows, and what they cost: data, not code."""
