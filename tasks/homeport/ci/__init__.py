"""``ci.generate``: workflows made from what the repository is, which call what a person calls."""
