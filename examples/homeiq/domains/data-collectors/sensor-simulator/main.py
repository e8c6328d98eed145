"""Four sensors of a house that isn't there: publishes their measurements over MQTT every two seconds."""

from __future__ import annotations

import json
import math
import os
import random

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from homeiq_common import logs, settings
from homeiq_common.records import current_slot
from homeiq_common.workers import run_until_stopped

EVERY_S = settings.number("PUBLISH_EVERY_SECONDS", 2)

# device, metric, middle of its range, how far it swings
SENSORS = (
    ("climate-living-room", "temperature", 21.0, 2.0),
    ("climate-living-room", "humidity", 45.0, 6.0),
    ("climate-bedroom", "temperature", 18.5, 1.5),
    ("climate-bedroom", "humidity", 50.0, 5.0),
    ("meter-main", "power", 650.0, 400.0),
    ("meter-heat-pump", "power", 420.0, 300.0),
)

log = logs.configure("sensor-simulator")


def measure(device: str, metric: str, middle: float, swing: float, timestamp: float) -> float:
    """A wave of five minutes with noise: the same moment always measures the same, in every replica."""
    noise = random.Random(f"{device}/{metric}/{timestamp}").gauss(0, swing / 10)
    phase = random.Random(f"{device}/{metric}").random()
    return round(middle + swing * math.sin(2 * math.pi * (timestamp / 300 + phase)) + noise, 2)


def publish_all(client: mqtt.Client) -> None:
    """One message a sensor. `homeiq/sensors/<device>/<metric>` is what mqtt-ingestion subscribes to."""
    if not client.is_connected():
        raise ConnectionError("not connected to the broker")
    moment = current_slot(EVERY_S)
    for device, metric, middle, swing in SENSORS:
        value = measure(device, metric, middle, swing, moment.timestamp())
        message = json.dumps({"value": value, "observed_at": moment.isoformat()})
        sent = client.publish(f"homeiq/sensors/{device}/{metric}", message, qos=1)
        sent.wait_for_publish(timeout=5)
        if not sent.is_published():
            raise TimeoutError("the broker did not confirm a message")


def main() -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: log.info("connected")
    client.connect_async(os.environ.get("MQTT_HOST", "mosquitto"), int(settings.number("MQTT_PORT", 1883)))
    client.loop_start()  # connects, and connects again, in a thread of its own
    run_until_stopped(lambda: publish_all(client), EVERY_S)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
