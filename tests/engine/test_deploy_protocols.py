"""What callers of every kind see of a deploy: they are all there at once, from this machine and beside it."""

from __future__ import annotations

import copy
import os
import shutil
import ssl
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

import mqtt
from engine_fixtures import missing
from live_stack import CHECK, MakeStack

EVERYTHING = "new,keep,post,slow,tcp,ws"
DRAIN = 5
CHECKED = {"test": CHECK, "interval": "30s"}


def test_every_kind_at_once(stack: MakeStack) -> None:
    made = stack({"x-homeport": {"drain": f"{DRAIN}s"}, "stop_grace_period": "1s"})
    made.homeport("deploy", "--zero-downtime")
    with made.load(rate=100, kinds=EVERYTHING) as load:
        made.change("app", VERSION="2", START_SECONDS="2")
        done = made.homeport("deploy")
    assert load.failures == []
    assert load.kinds == [set(EVERYTHING.split(","))] * 2
    assert load.versions == {"1", "2"}
    assert made.noted() == Counter(load.posted)

    switched = done.at("app", "switch")
    assert load.cut, "WebSockets were open when the deploy began, and can't move"
    for opened, heard in load.cut:
        assert opened < switched, "one that was opened after the switch has no reason to end"
        assert heard >= switched + DRAIN
    assert done.at("app", "stop") >= switched + DRAIN
    assert done.detail("app", "drained") == f"{len(load.cut)} still in flight were cut"


def test_twenty_thousand_requests_in_one_deploy(stack: MakeStack) -> None:
    other = {"environment": {"VERSION": "1"}, "healthcheck": CHECKED}
    made = stack(web=copy.deepcopy(other), worker=copy.deepcopy(other))
    made.homeport("deploy", "--zero-downtime")
    # One after the other: a switch early, one in the middle, and a long time after both.
    slow = {"depends_on": ["web"], "deploy": {"update_config": {"monitor": "22s"}}}
    made.compose["services"]["app"] |= slow
    with made.load(rate=450, kinds="new,keep,post,slow,tcp", beside="web") as load:
        for service in ("app", "web", "worker"):
            made.change(service, VERSION="2", START_SECONDS="4")
        done = made.homeport("deploy")
    assert load.failures == []
    assert load.sent >= 20_000
    assert [result["versions"].keys() for result in load.results] == [{"1", "2"}] * 2
    assert made.noted("app", "web") == Counter(load.posted)
    assert set(done.document["release"]["changed"]) == {"app", "web", "worker"}


def broker(queued: int) -> str:
    """A mosquitto.conf that keeps sessions, and what is queued in them, over a restart."""
    return (
        "listener 1883\nallow_anonymous true\npersistence true\npersistence_location /mosquitto/data/\n"
        f"log_dest stdout\nmax_queued_messages {queued}\n"
    )


def test_no_acknowledged_message_of_mqtt_is_lost(stack: MakeStack, base_images: Mapping[str, str]) -> None:
    made = stack(
        {
            "image": base_images.get("MOSQUITTO_IMAGE", "eclipse-mosquitto:2"),
            "environment": {},
            "volumes": ["data:/mosquitto/data"],
            "configs": [{"source": "broker", "target": "/mosquitto/config/mosquitto.conf"}],
            "healthcheck": {"test": "mosquitto_sub -t '$$SYS/broker/version' -C 1 -W 3", "interval": "15s"},
            "stop_grace_period": "2s",
        }
    )
    made.compose["services"]["app"]["ports"] = [f"127.0.0.1:{made.port}:1883"]
    made.compose |= {"volumes": {"data": {}}, "configs": {"broker": {"content": broker(5000)}}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    with mqtt.conversation(made.port) as messages:
        made.compose["configs"]["broker"]["content"] = broker(6000)
        made.write()
        changed = made.homeport("deploy")
        back = made.homeport("rollback")
    for done in (changed, back):
        order = [what for _, what in done.events]
        assert order.index("hold") < order.index("stop") < order.index("start") < order.index("switch")
    assert messages.lost == set()
    assert len(messages.safe) == messages.sent > 200
    assert messages.forgotten == 0
    assert all(1 <= count <= 4 for count in messages.reconnects.values()), messages.reconnects


@pytest.fixture
def certificate(tmp_path: Path) -> str:
    """A key and the certificate that it signed itself, as PEM."""
    if not shutil.which("openssl"):
        missing("openssl isn't here to make a certificate", os.environ)
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=app",
         "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return key.read_text(encoding="ascii") + made.read_text(encoding="ascii")


def test_tls_goes_through_to_the_service(stack: MakeStack, certificate: str) -> None:
    check = "import socket; socket.create_connection(('127.0.0.1', 8000), 1)"
    made = stack(
        {
            "environment": {"VERSION": "1", "TLS": "/run/secrets/tls"},
            "secrets": ["tls"],
            "healthcheck": {"test": ["CMD", "python3", "-c", check], "interval": "30s"},
        }
    )
    (made.folder / "tls.pem").write_text(certificate, encoding="ascii")
    made.compose["secrets"] = {"tls": {"file": "tls.pem"}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    assert ssl.get_server_certificate(("127.0.0.1", made.port)) in certificate
    with made.load(rate=60, kinds="new,post,slow,tcp", tls=True) as load:
        made.change("app", VERSION="2")
        made.homeport("deploy")
    assert load.failures == []
    assert load.sent > 200
    assert load.versions == {"1", "2"}
    assert made.noted() == Counter(load.posted)
