"""Ports of the host, and which of them only one can have."""

from __future__ import annotations

from dataclasses import dataclass

_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - it is only read here


@dataclass(frozen=True)
class Published:
    """A port of the host that leads to a container; ``address`` is empty for all of the host's."""

    address: str
    port: int
    protocol: str = "tcp"

    def meets(self, other: Published) -> bool:
        """Whether only one of the two can be had."""
        same = (self.port, self.protocol) == (other.port, other.protocol)
        return same and (not self.address or not other.address or self.address == other.address)


def address_of(said: object) -> str:
    """An address of the host as engine and Compose write it; empty for all of them."""
    text = str(said or "")
    return "" if text in _EVERYWHERE else text
