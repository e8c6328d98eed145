"""The last day of an exception, as configuration files name it. Pure."""

from __future__ import annotations

import datetime
import re

from homeport.errors import UsageError


def last_day(text: str, where: str) -> datetime.date:
    """The date in ``until``; ``where`` says whose it is. Raises UsageError for anything else."""
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError(text)
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{where}: 'until' is a date such as 2027-03-31, not {text!r}.") from error


def ended(until: str, today: datetime.date) -> bool:
    """Whether that day is over; an exception without one never ends."""
    return bool(until) and last_day(until, "") < today
