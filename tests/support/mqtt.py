"""A publisher and a subscriber of MQTT that stay for a whole deploy, and what became of each message.

QoS 1 and persistent sessions: both may lose their connections and come back, but a message that the broker
has acknowledged must arrive.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = "homeport/counted"
QOS = 1
_READY_SECONDS = 15.0
_REST_SECONDS = 15.0


@dataclass
class Messages:
    """Each message is a number: ``ids`` by it the broker's id; ``acknowledged`` are ids, ``arrived`` numbers.

    ``connected`` counts connections by client, ``forgotten`` those after which the broker knew no session.
    """

    ids: dict[int, int] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    arrived: Counter[int] = field(default_factory=Counter)
    connected: Counter[str] = field(default_factory=Counter)
    forgotten: int = 0

    @property
    def sent(self) -> int:
        return len(self.ids)

    @property
    def safe(self) -> set[int]:
        """The messages that the broker has acknowledged."""
        return {number for number, identity in self.ids.items() if identity in self.acknowledged}

    @property
    def lost(self) -> set[int]:
        return self.safe - set(self.arrived)

    @property
    def reconnects(self) -> dict[str, int]:
        return {name: count - 1 for name, count in self.connected.items()}


@contextlib.contextmanager
def conversation(port: int, rate: float = 50) -> Iterator[Messages]:
    """Publish and listen, by a broker on this machine, until the block has ended and the rest has arrived."""
    found, ended = Messages(), threading.Event()
    publisher, subscriber = _client("publisher", found), _client("subscriber", found)
    publisher.on_publish = lambda *args: found.acknowledged.add(args[2])
    subscriber.on_message = lambda _client, _data, message: found.arrived.update([int(message.payload)])
    subscribed = threading.Event()
    subscriber.on_subscribe = lambda *_: subscribed.set()
    publishing = threading.Thread(target=_publish, args=(publisher, found, ended, 1 / rate))
    try:
        for client in (subscriber, publisher):
            client.connect("127.0.0.1", port)
            client.loop_start()
        _wait(lambda: found.connected["subscriber"] > 0)
        subscriber.subscribe(TOPIC, QOS)
        assert subscribed.wait(_READY_SECONDS), "the broker takes no subscription"
        publishing.start()
        yield found
    finally:
        ended.set()
        if publishing.ident:
            publishing.join()
            _wait(lambda: len(found.safe) == found.sent and not found.lost)
        for client in (publisher, subscriber):
            client.disconnect()
            client.loop_stop()


def _client(name: str, found: Messages) -> Client:
    def connected(_client: Client, _data: object, flags: Any, code: Any, _properties: object) -> None:
        if not code.is_failure:
            found.forgotten += found.connected[name] > 0 and not flags.session_present
            found.connected[name] += 1

    client = Client(CallbackAPIVersion.VERSION2, f"homeport-{name}", clean_session=False)
    client.reconnect_delay_set(1, 1)
    client.on_connect = connected
    return client


def _publish(client: Client, found: Messages, ended: threading.Event, pause: float) -> None:
    for number in itertools.count():
        if ended.wait(pause):
            return
        found.ids[number] = client.publish(TOPIC, str(number), QOS).mid


def _wait(arrived: Callable[[], bool]) -> None:
    """Until it is so, or long enough: what is missing then is for the test to find."""
    end = time.monotonic() + _REST_SECONDS
    while not arrived() and time.monotonic() < end:
        time.sleep(0.05)
