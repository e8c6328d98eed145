"""The stack that is deployed: apart from whatever runs, but deployed as the user's own would be."""

from __future__ import annotations

import itertools
from typing import Any

from bench_samples import PROJECT
from homeport.bench.deploys import said
from homeport.bench.stack import VARIABLE, Trial, addresses, make
from homeport.deploy.probe import Probed, Sample
from homeport.model.isolation import Source

LABELS = {"io.homeport.bench.run": "0a1b"}


def trial(document: Any = PROJECT, services: tuple[str, ...] = ("db", "api", "web"), **images: str) -> Trial:
    ports = itertools.count(40000)
    return make(
        document, "homeport-bench-0a1b-zero", LABELS, services=services, images=images,
        source=lambda _: Source.KEPT, free_port=lambda: next(ports),
    )  # fmt: skip


def test_it_has_names_ports_and_images_of_its_own() -> None:
    found = trial(api="mine/api", web="mine/web")
    assert found.project == "homeport-bench-0a1b-zero"
    assert found.images == ("postgres:16", "mine/api", "mine/web")
    assert found.document["services"]["api"]["ports"] == [
        {"target": 8000, "host_ip": "127.0.0.1", "protocol": "tcp", "published": "40000"}
    ]
    assert all(spec["labels"] == LABELS for spec in found.document["services"].values())
    assert addresses(found, {}) == {"http://127.0.0.1:40000/": "api"}
    assert addresses(found, {("api", 8000): "/health"}) == {"http://127.0.0.1:40000/health": "api"}


def test_what_is_built_here_is_replaced_and_the_rest_stays() -> None:
    found = trial(api="mine/api", web="mine/web")
    assert found.changed == ("api", "web")
    one, two = (found.release(number)["services"] for number in (1, 2))
    assert one["db"] == two["db"]
    assert one["api"]["environment"] == {VARIABLE: "1"}
    assert two["api"]["environment"] == {VARIABLE: "2"}
    assert VARIABLE not in str(found.document)


def test_where_nothing_is_built_all_are_replaced() -> None:
    assert trial().changed == ("db", "api", "web")


def test_chosen_services_bring_what_they_need() -> None:
    found = trial(services=("api",), api="mine/api")
    assert {*found.document["services"]} == {"db", "api"}
    assert found.changed == ("api",)


def test_how_it_is_deployed_stays_as_it_is() -> None:
    check = {"test": ["CMD", "true"], "interval": "30s"}
    document = {
        "name": "shop",
        "services": {
            "api": {
                "image": "a", "restart": "unless-stopped", "healthcheck": check,
                "deploy": {"update_config": {"order": "stop-first"}, "restart_policy": {"condition": "any"}},
                "ports": [{"target": 80, "published": "8080", "protocol": "tcp", "app_protocol": "http"}],
                "x-homeport": {"drain": "5s", "before": ["rm", "-rf"]},
            },
            "worker": {"image": "w"},
            "migrate": {"image": "m", "restart": "no"},
        },
    }  # fmt: skip
    found = trial(document, ("api", "worker", "migrate"))
    api = found.document["services"]["api"]
    assert api["restart"] == "unless-stopped"
    assert api["healthcheck"] == check
    assert api["deploy"] == {"update_config": {"order": "stop-first"}}
    assert api["ports"][0]["app_protocol"] == "http"
    # Hooks are commands of the user's: none runs for a measurement.
    assert api["x-homeport"] == {"drain": "5s"}
    # Without "restart" it isn't taken for one that runs to its end.
    assert "restart" not in found.document["services"]["worker"]
    assert found.ending == {"migrate"}
    assert found.changed == ("api", "worker")


def test_what_reaches_out_is_left_out() -> None:
    document = {
        "name": "shop",
        "services": {"spy": {"image": "s", "privileged": True}, "api": {"image": "a"}},
    }
    found = trial(document, ("spy", "api"))
    assert {*found.left_out} == {"spy"}
    assert found.changed == ("api",)
    assert trial(document, ("spy",)).changed == ()


def probed(*statuses: int) -> Probed:
    return Probed(
        "u", 0.0, tuple(Sample(0.0, 0.1, status, "" if status else "refused") for status in statuses)
    )


def test_whose_requests_were_lost_and_by_what() -> None:
    assert said([("api", probed(200, 200))]) == "of 2 sent to 1 port"
    found = said([("api", probed(200, 503, 0)), ("web", probed(503)), ("ui", probed(200))])
    assert found == "of 5 sent to 3 ports; at api 2, web 1; HTTP 503 2, refused 1"
