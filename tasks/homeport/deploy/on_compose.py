"""The backend for Compose on one engine: the default."""

from homeport.deploy.flow import deploy, rollback
from homeport.deploy.look import down, logs, releases, status, unlock

__all__ = ["deploy", "down", "logs", "releases", "rollback", "status", "unlock"]
