"""The labels by which homeport knows its own containers: whose they are, and what they are there for."""

from __future__ import annotations

STACK_LABEL = "io.homeport.stack"
SERVICE_LABEL = "io.homeport.service"
"""The service as the Compose file names it: Compose itself knows a replica or a front under another name."""
ROLE_LABEL = "io.homeport.role"
REPLICA = "replica"
FRONT = "front"
HOOK = "hook"
