"""One JSON object a line on standard output: what a log collector reads without configuration."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import datetime, timezone


class _JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(service: str) -> logging.Logger:
    """Send all logging of this process through one handler; return the service's own logger."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLines(service))
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO").upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Probes ask for /health every few seconds: access lines would bury everything else.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    return logging.getLogger(service)
