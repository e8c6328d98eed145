"""The stack as a whole: what is sent in at one end comes out at the others.

`homeport test` starts the stack beside whatever runs, and runs these.
"""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from typing import Any


def ask(url: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, json.load(answer)


def test_an_event_is_stored_once_however_often_it_is_sent(homeport_stack: Any) -> None:
    url = homeport_stack.url("data-api", "/events")
    event = {"id": str(uuid.uuid4()), "type": "greeting", "source": "a test"}
    assert [ask(url, event)[0] for _ in range(3)] == [201, 200, 200]
    assert ask(f"{url}/{event['id']}")[1]["source"] == "a test"


def test_what_the_simulator_measures_arrives(homeport_stack: Any) -> None:
    url = homeport_stack.url("data-api", "/stats")
    end = time.monotonic() + 30
    while ask(url)[1]["readings"] == 0:
        assert time.monotonic() < end, homeport_stack.logs("mqtt-ingestion")
        time.sleep(0.5)


def test_the_dashboard_asks_the_same_data(homeport_stack: Any) -> None:
    assert ask(homeport_stack.url("dashboard", "/api/stats"))[0] == 200
