"""The tasks of this repository: the same line that a user's repository has."""

from homeport.commands import namespace as ns

__all__ = ["ns"]
