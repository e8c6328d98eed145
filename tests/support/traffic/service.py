"""A small service of several protocols, for watching what a deploy does to its callers.

HTTP on PORT (default 8000): ``/`` says the version, ``/slow?s=3`` after a while, ``POST /note`` writes the
body's first line to the log, ``/ws`` is a WebSocket that echoes, ``/health``. Lines of text on PORT + 1000,
each answered with version and line. TLS=<pem file>: HTTPS instead of HTTP. Starts after START_SECONDS;
HEALTH=bad never gets healthy. On SIGTERM it takes no more connections, finishes what it has and ends, as web
servers do. Standard library only.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ.get("VERSION", "1")
PORT = int(os.environ.get("PORT", "8000"))
LISTEN = os.environ.get("LISTEN", "0.0.0.0")  # noqa: S104 - inside a container
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
stopping = asyncio.Event()
busy: set[asyncio.Task[None] | None] = set()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while not stopping.is_set():
            head_task = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
            stop_task = asyncio.ensure_future(stopping.wait())
            await asyncio.wait({head_task, stop_task}, return_when=asyncio.FIRST_COMPLETED)
            stop_task.cancel()
            if not head_task.done():
                head_task.cancel()
                break
            lines = (await head_task).decode("latin-1").split("\r\n")
            busy.add(asyncio.current_task())
            try:
                if not await answer(lines, reader, writer):
                    break
            finally:
                busy.discard(asyncio.current_task())
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(lines: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    method, target, _ = lines[0].split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
    }
    body = await reader.readexactly(int(headers.get("content-length") or 0))
    url = urlsplit(target)
    status = "200 OK"
    if url.path == "/ws":
        await websocket(headers, reader, writer)
        return False
    if url.path == "/slow":
        await asyncio.sleep(float(parse_qs(url.query).get("s", ["3"])[0]))
    elif url.path == "/note" and method == "POST":
        print("note", body.split(b"\n")[0].decode(), flush=True)
    elif url.path == "/health" and os.environ.get("HEALTH") == "bad":
        status = "503 Service Unavailable"
    text = json.dumps({"version": VERSION, "host": os.uname().nodename, "got": len(body)}).encode()
    last = stopping.is_set() or headers.get("connection", "").lower() == "close"
    writer.write(
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        f"Connection: {'close' if last else 'keep-alive'}\r\n\r\n".encode()
        + text
    )
    await writer.drain()
    return not last


async def websocket(
    headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    key = base64.b64encode(
        hashlib.sha1(  # noqa: S324 - RFC 6455's own
            headers["sec-websocket-key"].encode() + MAGIC
        ).digest()
    ).decode()
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {key}\r\n\r\n".encode()
    )
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F  # short masked frames only: it is our own client that sends them
        mask, data = await reader.readexactly(4), await reader.readexactly(size)
        text = bytes(byte ^ mask[position % 4] for position, byte in enumerate(data))
        writer.write(bytes([first, len(text)]) + text)
        await writer.drain()


async def line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while text := await reader.readline():
            writer.write(f"{VERSION} ".encode() + text)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def tls() -> ssl.SSLContext | None:
    if not (file := os.environ.get("TLS")):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def main() -> None:
    await asyncio.sleep(float(os.environ.get("START_SECONDS", "0")))
    if os.environ.get("CRASH"):
        sys.exit("crashing, as told")
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    servers = [
        await asyncio.start_server(http, LISTEN, PORT, ssl=tls()),
        await asyncio.start_server(line, LISTEN, PORT + 1000),
    ]
    print(f"version {VERSION} listens on {PORT}", flush=True)
    if after := os.environ.get("CRASH_AFTER"):
        loop.call_later(float(after), os._exit, 1)
    await stopping.wait()
    for server in servers:
        server.close()
    while busy:
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.05)


asyncio.run(main())
