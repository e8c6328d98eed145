"""Sends demo events to data-api, to have something to look at."""

from __future__ import annotations

import argparse
import urllib.request
import uuid

from homeiq_common.records import Event


def main() -> None:
    parser = argparse.ArgumentParser(description="Send demo events to data-api.")
    parser.add_argument("--count", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--url", default="http://data-api:8006", help="default: %(default)s")
    options = parser.parse_args()
    for number in range(1, options.count + 1):
        event = Event(id=str(uuid.uuid4()), type="demo", source="event-sender", payload={"number": number})
        request = urllib.request.Request(
            f"{options.url}/events", event.model_dump_json().encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            print(answer.status, event.id)


if __name__ == "__main__":
    main()
