"""Load on a small service: requests start when they are due, whether or not others have ended.

No more than MOST are under way at once: a machine that is short of time would else fill the queues of the
service and of what stands before it, and requests would be lost for that.

    python load.py HOST PORT --seconds 20 --rate 200 [--kinds new,keep,slow,post,ws,tcp] [--tls]

SIGTERM ends it early. Prints one JSON document: for each kind how many were sent, how many failed, examples
of failures, when which version answered first and last, and the WebSockets that didn't live to the end. Times
are seconds since the epoch, to be laid beside those of a deploy. Standard library only: it also runs in a
container.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import secrets
import signal
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field

KINDS = {"new": 0.55, "keep": 0.3, "post": 0.1, "tcp": 0.045, "slow": 0.005}
"""How large a part of the rate each kind has; WebSockets are opened once and used all the time."""
MOST = 90
SLOW_SECONDS = 3
LINES = 5
LINE_SECONDS = 0.2
LIMIT_SECONDS = 30.0
"""For one request. Who is held waits until the next command, if a deploy was killed meanwhile."""


@dataclass
class Tally:
    sent: int = 0
    failed: int = 0
    examples: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


class Load:
    def __init__(self, host: str, port: int, *, tls: bool = False) -> None:
        self.host, self.port = host, port
        self.tls = _any_certificate() if tls else None
        self.until = time.monotonic()
        self.tallies: dict[str, Tally] = {}
        self.versions: dict[str, list[float]] = {}
        self.failures: list[tuple[float, str, str]] = []
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.posted: list[str] = []
        self.cut: list[tuple[float, float]] = []

    def stop(self) -> None:
        """Start nothing more; what is under way is waited for."""
        self.until = time.monotonic()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, ssl=self.tls)

    async def one(self, kind: str) -> None:
        tally = self.tallies.setdefault(kind, Tally())
        tally.sent += 1
        started = time.monotonic()
        try:
            version = await asyncio.wait_for(getattr(self, kind)(), LIMIT_SECONDS)
            seen = self.versions.setdefault(version, [time.time(), 0.0])
            seen[1] = time.time()
            tally.latencies.append(time.monotonic() - started)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, a caller didn't get an answer
            tally.failed += 1
            what = f"{type(error).__name__}: {error}"[:120]
            tally.examples[what] += 1
            self.failures.append((round(time.time(), 3), kind, what))

    async def new(self) -> str:
        reader, writer = await self.open()
        try:
            return (await self.ask(reader, writer, "GET", "/", close=True))[0]
        finally:
            writer.close()

    async def keep(self) -> str:
        """On a connection that is kept; one that the other side closed while it was idle is no failure."""
        while self.idle:
            reader, writer = self.idle.pop()
            if reader.at_eof() or writer.is_closing():
                writer.close()
                continue
            return await self._keep(reader, writer)
        return await self._keep(*await self.open())

    async def _keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        version, stays = await self.ask(reader, writer, "GET", "/")
        if stays:
            self.idle.append((reader, writer))
        else:
            writer.close()
        return version

    async def slow(self) -> str:
        reader, writer = await self.open()
        try:
            return (await self.ask(reader, writer, "GET", f"/slow?s={SLOW_SECONDS}", close=True))[0]
        finally:
            writer.close()

    async def post(self) -> str:
        name = secrets.token_hex(8)
        self.posted.append(name)
        reader, writer = await self.open()
        try:
            body = f"{name}\n".encode() + os.urandom(2000).hex().encode()
            return (await self.ask(reader, writer, "POST", "/note", body=body, close=True))[0]
        finally:
            writer.close()

    async def tcp(self) -> str:
        """A conversation of some lines, each answered on the connection that it began on."""
        reader, writer = await asyncio.open_connection(self.host, self.port + 1000)
        try:
            for _ in range(LINES):
                word = secrets.token_hex(4)
                writer.write(f"{word}\n".encode())
                await writer.drain()
                version, _, rest = (await reader.readline()).decode().strip().partition(" ")
                if rest != word:
                    raise ConnectionError(f"no answer to a line: {rest!r}")
                await asyncio.sleep(LINE_SECONDS)
            return version
        finally:
            writer.close()

    async def ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        close: bool = False,
    ) -> tuple[str, bool]:
        """One request; the version that answered, and whether the connection stays."""
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: {'close' if close else 'keep-alive'}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = head.split(" ", 2)[1]
        headers = {
            name.lower(): value.strip()
            for name, _, value in (row.partition(":") for row in head.split("\r\n")[1:])
        }
        answer = await reader.readexactly(int(headers.get("content-length") or 0))
        if status != "200":
            raise ConnectionError(f"HTTP {status}")
        document = json.loads(answer)
        if document["got"] != len(body):
            raise ConnectionError("the body didn't arrive whole")
        return str(document["version"]), headers.get("connection", "").lower() != "close"

    async def websocket(self) -> None:
        """A WebSocket with a message every 100 ms, opened anew when it ends."""
        tally = self.tallies.setdefault("ws", Tally())
        while time.monotonic() < self.until:
            tally.sent += 1
            opened = 0.0
            try:
                reader, writer = await asyncio.wait_for(self._upgrade(), LIMIT_SECONDS)
                opened = heard = time.time()
                while time.monotonic() < self.until:
                    await asyncio.wait_for(_echo(reader, writer), LIMIT_SECONDS)
                    heard = time.time()
                    await asyncio.sleep(0.1)
                writer.close()
            except Exception as error:  # noqa: BLE001
                if opened:
                    # From the last answer on: one that is silent is as good as cut.
                    self.cut.append((opened, heard))
                else:
                    tally.failed += 1
                    self.failures.append((round(time.time(), 3), "ws", repr(error)[:120]))
                await asyncio.sleep(0.05)

    async def _upgrade(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.open()
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /ws HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(head.decode("latin-1").split("\r\n")[0])
        return reader, writer


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One message on a WebSocket, and its answer."""
    data, mask = secrets.token_hex(8).encode(), os.urandom(4)
    masked = bytes(byte ^ mask[position % 4] for position, byte in enumerate(data))
    writer.write(b"\x81" + bytes([0x80 | len(data)]) + mask + masked)
    await writer.drain()
    if (await reader.readexactly(2 + len(data)))[2:] != data:
        raise ConnectionError("another answer than the message")


def _any_certificate() -> ssl.SSLContext:
    """The service's certificate is its own; whether it is the right one is looked at elsewhere."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def run(
    host: str, port: int, seconds: float, rate: float, kinds: list[str], sockets: int, *, tls: bool = False
) -> dict[str, object]:
    load = Load(host, port, tls=tls)
    load.until = time.monotonic() + seconds
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.stop)
    tasks = [asyncio.create_task(load.websocket()) for _ in range(sockets if "ws" in kinds else 0)]
    chosen = {kind: part for kind, part in KINDS.items() if kind in kinds}
    due = dict.fromkeys(chosen, 0.0)
    began = time.monotonic()
    running: set[asyncio.Task[None]] = set()
    while (now := time.monotonic()) < load.until:
        for kind, part in chosen.items():
            while due[kind] <= now - began and len(running) < MOST:
                task = asyncio.create_task(load.one(kind))
                running.add(task)
                task.add_done_callback(running.discard)
                due[kind] += 1 / (rate * part)
        await asyncio.sleep(0.002)
    await asyncio.gather(*running, *tasks)
    latencies = sorted(load.tallies["new"].latencies) if "new" in load.tallies else []
    return {
        "seconds": seconds,
        "kinds": {
            kind: {
                "sent": tally.sent,
                "failed": tally.failed,
                "examples": dict(tally.examples.most_common(5)),
            }
            for kind, tally in load.tallies.items()
        },
        "versions": {version: [round(at, 3) for at in seen] for version, seen in load.versions.items()},
        "failures": load.failures[:50],
        "posted": load.posted,
        "cut": load.cut,
        "median_ms": round(latencies[len(latencies) // 2] * 1000, 3) if latencies else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--kinds", default="new,keep,slow,post,tcp,ws")
    parser.add_argument("--sockets", type=int, default=5)
    parser.add_argument("--tls", action="store_true")
    chosen = parser.parse_args()
    kinds = chosen.kinds.split(",")
    result = run(chosen.host, chosen.port, chosen.seconds, chosen.rate, kinds, chosen.sockets, tls=chosen.tls)
    print(json.dumps(asyncio.run(result)))


main()
