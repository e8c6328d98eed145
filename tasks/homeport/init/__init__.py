"""The flow of ``init``: the first settings of a repository."""
