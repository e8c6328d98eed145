"""Takes the sensors' MQTT messages and stores them in PostgreSQL."""

from __future__ import annotations

import json
import os
from datetime import datetime

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from homeiq_common import logs, settings
from homeiq_common.database import Database
from homeiq_common.records import store_reading
from homeiq_common.workers import run_until_stopped

TOPIC = "homeiq/sensors/+/+"

log = logs.configure("mqtt-ingestion")
database = Database()


def store(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
    """One message. It is confirmed only after it is stored, so the broker keeps what could not be."""
    device_id, metric = message.topic.split("/")[2:]
    try:
        body = json.loads(message.payload)
        value, observed_at = float(body["value"]), datetime.fromisoformat(body["observed_at"])
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s: not a reading, dropped: %s", message.topic, error)
    else:
        store_reading(database, device_id, metric, value, observed_at)
    client.ack(message.mid, message.qos)


def subscribe(client: mqtt.Client, *_: object) -> None:
    """After every connect, the later ones too: a broker that restarted has forgotten us."""
    client.subscribe(TOPIC, qos=1)


def check(client: mqtt.Client) -> None:
    """What the heartbeat stands for: both sides are there."""
    if not client.is_connected():
        raise ConnectionError("not connected to the broker")
    database.ping()


def main() -> None:
    database.open()
    # No client id: two consumers with one id would throw each other out during an overlap.
    client = mqtt.Client(CallbackAPIVersion.VERSION2, manual_ack=True)
    client.on_message = store
    client.on_connect = subscribe
    client.connect_async(os.environ.get("MQTT_HOST", "mosquitto"), int(settings.number("MQTT_PORT", 1883)))
    client.loop_start()
    run_until_stopped(lambda: check(client), 5)
    client.disconnect()
    client.loop_stop()
    database.close()


if __name__ == "__main__":
    main()
