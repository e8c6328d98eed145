"""Does the running stack work? Asks it from outside, through its host ports, as its users do.

    python smoke.py

Ports come from the variables of .env.example, if they are set. Exit code 0: everything works, 1: something
does not. Only the standard library is used.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import struct
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

HOST = os.environ.get("HOMEIQ_HOST", "127.0.0.1")
PATIENCE_S = 30


def port(variable: str, default: int) -> int:
    return int(os.environ.get(variable) or default)


DASHBOARD = port("DASHBOARD_PORT", 18080)
DATA_API = port("DATA_API_PORT", 18006)
WEBSOCKET = port("WEBSOCKET_PORT", 18001)


# -- asking -----------------------------------------------------------------------------------------------


def http(port: int, path: str, body: Any = None, method: str | None = None) -> tuple[int, str]:
    """One request; an error status is an answer too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://{HOST}:{port}{path}", data, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def get(port: int, path: str) -> Any:
    """The JSON of a request that must work."""
    status, text = http(port, path)
    assert status == 200, f"{path} answered {status}: {text[:200]}"
    return json.loads(text)


class WebSocket:
    """As much of RFC 6455 as two checks need: short text messages, both ways."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        status = self._stream.readline().decode()
        assert " 101 " in status, f"{path} answered {status.strip()}"
        while self._stream.readline().strip():
            pass

    def send(self, message: Any) -> None:
        self._frame(0x81, json.dumps(message).encode())

    def receive(self) -> Any:
        """The next text message; pings are answered on the way."""
        while True:
            first, length = self._stream.read(2)
            if length == 126:
                (length,) = struct.unpack("!H", self._stream.read(2))
            payload = self._stream.read(length)
            if first & 0x0F == 1:
                return json.loads(payload)
            if first & 0x0F == 9:
                self._frame(0x8A, payload)
            if first & 0x0F == 8:
                raise ConnectionError("the server closed the WebSocket")

    def close(self) -> None:
        self._frame(0x88, struct.pack("!H", 1000))
        self._socket.close()

    def _frame(self, first: int, payload: bytes) -> None:
        mask = os.urandom(4)
        length = bytes([0x80 | len(payload)])
        if len(payload) > 125:
            length = bytes([0x80 | 126]) + struct.pack("!H", len(payload))
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._socket.sendall(bytes([first]) + length + mask + masked)


@contextlib.contextmanager
def websocket(port: int, path: str) -> Iterator[WebSocket]:
    connection = WebSocket(port, path)
    try:
        yield connection
    finally:
        connection.close()


def wait_for(question: Callable[[], str | None], what: str) -> str:
    """Ask until there is an answer."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"{what} not seen in {PATIENCE_S} s")


# -- checks: each returns what it saw, or raises -------------------------------------------------------------


def dashboard_serves() -> str:
    status, page = http(DASHBOARD, "/")
    assert status == 200 and "HomeIQ" in page, f"/ answered {status}"
    assets = re.findall(r'(?:href|src)="(assets/[^"]+)"', page)
    assert len(assets) == 2, f"expected a script and a style sheet, found {assets}"
    for asset in assets:
        assert http(DASHBOARD, f"/{asset}")[0] == 200, f"{asset} is missing"
    return f"page and {len(assets)} assets"


def dashboard_reaches_data_api() -> str:
    return f"version {get(DASHBOARD, '/api/version')['version']}"


def readings_grow() -> str:
    before = get(DATA_API, "/stats")["newest_reading"]

    def newer() -> str | None:
        after = get(DATA_API, "/stats")["newest_reading"]
        return after if after and after != before else None

    return f"newest from {wait_for(newer, 'a new reading')}"


def event_is_counted_once() -> str:
    event = {"id": f"smoke-{uuid.uuid4()}", "type": "smoke", "payload": {"n": 1}}
    statuses = [http(DATA_API, "/events", event)[0] for _ in range(3)]
    assert statuses == [201, 200, 200], f"sent three times, answered {statuses}"
    assert get(DATA_API, f"/events/{event['id']}")["payload"] == {"n": 1}
    return "sent 3 times, stored once"


def websocket_round_trip() -> str:
    event = {"id": f"smoke-{uuid.uuid4()}", "type": "smoke", "source": "smoke.py"}
    with websocket(DASHBOARD, "/ws/live") as live, websocket(WEBSOCKET, "/ws") as sender:
        started = time.monotonic()
        for created in (True, False):
            sender.send(event)
            answer = sender.receive()
            assert answer == {"id": event["id"], "created": created}, f"answered {answer}"
        while live.receive().get("id") != event["id"]:
            assert time.monotonic() - started < PATIENCE_S, "the event did not come back on /ws/live"
        elapsed = (time.monotonic() - started) * 1000
    assert get(DATA_API, f"/events/{event['id']}")["source"] == "smoke.py"
    return f"in on /ws, out on /ws/live after {elapsed:.0f} ms"


def slow_request_is_answered() -> str:
    return f"waited {get(DATA_API, '/slow?seconds=1')['waited_s']:.0f} s"


def everything_is_healthy() -> str:
    def all_healthy() -> str | None:
        found = get(port("ADMIN_API_PORT", 18004), "/services")
        return f"{found['healthy']} of {found['total']}" if found["healthy"] == found["total"] else None

    return wait_for(all_healthy, "health of all services")


def single_writer_archives() -> str:
    retention = port("RETENTION_PORT", 18024)
    before = get(retention, "/archive")["runs"]
    status, text = http(retention, "/runs", method="POST")
    assert status == 200, f"/runs answered {status}: {text[:200]}"
    after = get(retention, "/archive")
    assert after["runs"] > before and after["minutes"] > 0, f"nothing was archived: {after}"
    return f"{after['samples']} samples in {after['minutes']} rows, {after['runs']} runs"


def weather_is_forecast() -> str:
    hours = get(port("WEATHER_PORT", 18009), "/weather/forecast?hours=24")
    assert len(hours) == 24
    temperatures = [hour["temperature"] for hour in hours]
    return f"{min(temperatures)} to {max(temperatures)} degrees"


def collectors_collect() -> str:
    ports = (
        ("AIR_QUALITY_PORT", 18021),
        ("CARBON_INTENSITY_PORT", 18022),
        ("ELECTRICITY_PRICING_PORT", 18023),
    )
    values = [get(port(*each), "/current") for each in ports]
    for value in values:
        assert get(DATA_API, f"/readings?metric={value['metric']}"), f"no {value['metric']} was stored"
    return ", ".join(f"{value['value']:g} {value['unit']}" for value in values)


def energy_has_a_price() -> str:
    summary = get(port("ENERGY_PORT", 18017), "/energy/summary")
    assert {meter["device_id"] for meter in summary["meters"]} == {"meter-main", "meter-heat-pump"}, summary
    return f"{summary['kwh']:.4f} kWh for {summary['cost']:.4f} EUR"


def automation_fires() -> str:
    automation = port("AUTOMATION_PORT", 18025)
    rule = {"device_id": "climate-bedroom", "metric": "temperature", "above": -50, "action": "smoke"}
    name = f"smoke-{uuid.uuid4()}"
    assert http(automation, f"/automations/{name}", rule, "PUT")[0] == 200
    try:

        def fired() -> str | None:
            events = get(DATA_API, "/events?limit=100")
            ids = [event["id"] for event in events if event["id"].startswith(f"automation/{name}/")]
            return ids[0] if ids else None

        wait_for(fired, "the automation's event")
    finally:
        assert http(automation, f"/automations/{name}", method="DELETE")[0] == 204
    return "a new rule made its event"


def devices_are_alive() -> str:
    registry = port("DEVICE_REGISTRY_PORT", 18027)

    def none_silent() -> str | None:
        silent = get(registry, "/devices/silent?seconds=60")
        return None if silent else f"{len(get(registry, '/devices'))} devices, none silent"

    return wait_for(none_silent, "a reading of every device in the last minute")


def forecast_is_made() -> str:
    path = "/forecast?device_id=meter-main&metric=power&steps=5"

    def forecast() -> str | None:
        status, text = http(port("ML_PORT", 18026), path)
        if status == 404:  # a stack that has just started has too few readings
            return None
        assert status == 200, f"/forecast answered {status}: {text[:200]}"
        answer = json.loads(text)
        assert len(answer["forecast"]) == 5
        return f"power will be {answer['forecast'][0]} W (from {answer['based_on']} readings)"

    return wait_for(forecast, "a forecast")


CHECKS: tuple[Callable[[], str], ...] = (
    dashboard_serves,
    dashboard_reaches_data_api,
    readings_grow,
    event_is_counted_once,
    websocket_round_trip,
    slow_request_is_answered,
    everything_is_healthy,
    single_writer_archives,
    weather_is_forecast,
    collectors_collect,
    energy_has_a_price,
    automation_fires,
    devices_are_alive,
    forecast_is_made,
)


def main() -> int:
    failures = 0
    for check in CHECKS:
        started = time.monotonic()
        try:
            seen, mark = check(), "ok"
        # Whatever a check raises is its result: the others still have to run.
        except Exception as error:
            seen, mark = f"{type(error).__name__}: {error}", "FAILED"
            failures += 1
        elapsed = time.monotonic() - started
        print(f"{mark:6}  {check.__name__.replace('_', ' '):28}  {elapsed:5.1f} s  {seen}", flush=True)
    print(f"\n{len(CHECKS) - failures} of {len(CHECKS)} checks passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
