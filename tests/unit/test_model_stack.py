"""What a Compose project says about its services, each property with its corners."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.errors import DefinitionError
from homeport.model.stack import (
    CONTINUE,
    PAUSE,
    ROLLBACK,
    START_FIRST,
    STOP_FIRST,
    Port,
    Service,
    Stack,
    parse_stack,
    seconds_of,
)

Spec = dict[str, Any]

HTTP_PORTS: Spec = {"ports": [{"target": 8000, "protocol": "tcp"}]}


def service(spec: Spec | None = None, exposed: tuple[int, ...] = ()) -> Service:
    return Service("api", spec or {}, exposed)


def published(*ports: tuple[int, str, str]) -> Spec:
    return {
        "ports": [
            {"mode": "ingress", "target": target, "protocol": protocol, "app_protocol": app}
            for target, protocol, app in ports
        ]
    }


def update(**config: Any) -> Spec:
    return {"deploy": {"update_config": config}}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 7.0),
        ("", 7.0),
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("1h0m0s", 3600.0),
        ("2h", 7200.0),
        ("500ms", 0.5),
        ("5m", 300.0),
        ("250us", 0.00025),
        ("1.5s", 1.5),
        ("250\u00b5s", 0.00025),  # as Go writes it, and so Compose
        ("1m0.5s", 60.5),
        ("0s", 0.0),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert seconds_of(value, 7.0) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["soon", "30 s", "s", "10s!", "1m30", "m5", "1w", "-5s", 45, "2.5", True])
def test_what_is_no_duration_is_an_error_with_examples(value: object) -> None:
    with pytest.raises(DefinitionError, match="no duration") as caught:
        seconds_of(value, 1.0)
    assert "1m30s" in caught.value.hint


def test_a_service_that_says_nothing_has_composes_defaults() -> None:
    bare = service()
    assert (bare.image, bare.container_name, bare.network_mode) == ("", "", "")
    assert (bare.ports, bare.published, bare.written, bare.needs) == ((), (), (), {})
    assert bare.partners == ()
    assert (bare.stop_grace, bare.drain, bare.monitor) == (10.0, 30.0, 0.0)
    assert bare.replicas == 1
    assert (bare.failure_action, bare.portions, bare.delay) == (ROLLBACK, (1,), 0.0)
    assert bare.hook("before") == bare.hook("after") == ()
    assert not bare.one_shot
    assert not bare.has_udp
    assert not bare.has_health_check
    assert not bare.can_have_front


@pytest.mark.parametrize("empty", [{}, None])
def test_empty_parts_are_the_same_as_none(empty: object) -> None:
    keys = ("depends_on", "deploy", "healthcheck", "x-homeport", "networks", "ports", "expose", "volumes")
    more = ("volumes_from", "network_mode", "pid", "ipc")
    bare = service(dict.fromkeys((*keys, *more), empty))
    assert (bare.needs, bare.ports, bare.written, bare.replicas, bare.drain) == ({}, (), (), 1, 30.0)
    assert (bare.partners, bare.network_mode) == ((), "")
    assert bare.order[0] == STOP_FIRST
    assert service({"deploy": {"update_config": empty}}).failure_action == ROLLBACK


def test_seconds_that_the_file_gives() -> None:
    told = service({"stop_grace_period": "1m0s", "x-homeport": {"drain": "2m"}, **update(monitor="5s")})
    assert (told.stop_grace, told.drain, told.monitor) == (60.0, 120.0, 5.0)
    assert service({"x-homeport": {"drain": "0s"}}).drain == 0.0


def test_needs_with_their_conditions() -> None:
    needs = {
        "db": {"condition": "service_healthy", "required": True},
        "cache": {},
        "old": {"condition": None},
    }
    assert service({"depends_on": needs}).needs == {
        "db": "service_healthy",
        "cache": "service_started",
        "old": "service_started",
    }


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ({}, 1),
        ({"scale": 3}, 3),
        ({"scale": 0}, 0),
        ({"deploy": {"replicas": 2}}, 2),
        ({"deploy": {"replicas": 0}}, 0),
        ({"deploy": {"replicas": 2}, "scale": 2}, 2),
        ({"deploy": {"replicas": None}, "scale": 4}, 4),
        ({"deploy": {"resources": {}}}, 1),
    ],
)
def test_replicas(spec: Spec, replicas: int) -> None:
    assert service(spec).replicas == replicas


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"restart": "no"}, True),
        ({}, False),
        ({"restart": "always"}, False),
        ({"restart": "on-failure"}, False),
        ({"restart": "no", **HTTP_PORTS}, False),
        ({"restart": "no", "expose": ["8000"]}, False),
        ({"restart": "no", "x-homeport": {"ports": [8000]}}, False),
    ],
)
def test_one_shot_only_if_the_file_says_so_and_no_port_is_served(spec: Spec, expected: bool) -> None:
    assert service(spec).one_shot is expected


def test_a_port_of_the_image_does_not_make_a_migration_a_server() -> None:
    assert service({"restart": "no"}, (8000,)).one_shot
    assert not service({"restart": "no"}, (8000,)).can_have_front


def test_a_service_whose_end_others_wait_for_is_a_one_shot() -> None:
    wait: Spec = {"depends_on": {"migrate": {"condition": "service_completed_successfully"}}}
    start: Spec = {"depends_on": {"seed": {"condition": "service_started"}, "db": {}}}
    plain: Spec = {"image": "x", "restart": "on-failure", "expose": ["80"]}
    stack = parse_stack(
        {"services": {"api": wait, "worker": start, "migrate": plain, "seed": plain, "db": plain}}
    )
    found = {name: one.one_shot for name, one in stack.services.items()}
    assert found == {"api": False, "worker": False, "migrate": True, "seed": False, "db": False}
    assert not stack.services["migrate"].can_have_front
    assert stack.services["seed"].can_have_front


def test_published_ports_with_their_protocols() -> None:
    assert service({"ports": [{"target": "80"}, {"target": 53, "protocol": "udp"}]}).published == (
        Port(80),
        Port(53, "udp"),
    )
    assert service(published((80, "tcp", "http"))).published == (Port(80, "tcp", "http"),)


@pytest.mark.parametrize(
    ("spec", "exposed", "ports"),
    [
        (HTTP_PORTS, (), (8000,)),
        (published((53, "udp", "")), (), ()),
        (published((53, "udp", ""), (53, "tcp", "")), (), (53,)),
        ({"expose": ["5000"]}, (), (5000,)),
        ({"expose": [5000]}, (), (5000,)),
        ({"expose": ["5000/tcp", "5001/udp"]}, (), (5000,)),
        ({"expose": ["6000-6002"]}, (), (6000, 6001, 6002)),
        ({"expose": ["6000-6001/tcp", "7000-7001/udp"]}, (), (6000, 6001)),
        ({}, (5432,), (5432,)),
        ({"x-homeport": {"ports": [9001, 9000]}}, (), (9000, 9001)),
        (
            # In the place of what is exposed, not of what is published.
            {**HTTP_PORTS, "expose": ["80", "8000"], "x-homeport": {"ports": [443]}},
            (8000, 22),
            (443, 8000),
        ),
    ],
)
def test_ports_from_everywhere_sorted_and_once(
    spec: Spec, exposed: tuple[int, ...], ports: tuple[int, ...]
) -> None:
    assert service(spec, exposed).ports == ports


@pytest.mark.parametrize(
    ("spec", "udp"),
    [
        (published((80, "tcp", ""), (443, "udp", "")), True),
        ({"expose": ["80", "53/udp"]}, True),
        ({"expose": ["5000-5001/udp"]}, True),
        (HTTP_PORTS, False),
        ({"expose": ["80", "81/tcp"]}, False),
    ],
)
def test_udp_is_noticed_published_or_exposed(spec: Spec, udp: bool) -> None:
    assert service(spec).has_udp is udp
    assert service({**spec, "x-homeport": {"ports": [9]}}).can_have_front is not udp


def check(test: object) -> Spec:
    return {"healthcheck": {"test": test}}


@pytest.mark.parametrize(
    ("spec", "http"),
    [
        (published((80, "tcp", "")), ()),
        (published((80, "tcp", "http")), (80,)),
        (published((80, "tcp", "ws")), (80,)),
        (published((80, "tcp", "https")), ()),
        (published((80, "tcp", "http"), (9000, "tcp", "grpc"), (5432, "tcp", "")), (80,)),
        ({"expose": ["8000"], **check(["CMD", "curl", "-f", "http://localhost:8000/health"])}, (8000,)),
        ({"expose": ["80"], **check(["CMD", "curl", "-f", "http://localhost/"])}, (80,)),
        ({"expose": ["8080"], **check(["CMD", "curl", "-f", "http://localhost/"])}, ()),
        (
            {"expose": ["8000"], **check(["CMD-SHELL", "wget -qO- 'http://127.0.0.1:8000' || exit 1"])},
            (8000,),
        ),
        ({"expose": ["8000"], **check("curl http://localhost:8000/")}, (8000,)),
        ({"expose": ["8443"], **check(["CMD", "curl", "-fk", "https://localhost:8443/"])}, ()),
        ({"expose": ["5432"], **check(["CMD", "pg_isready"])}, ()),
        (
            {"expose": ["1", "2", "3"], **check(["CMD-SHELL", "curl http://a:1/ && curl http://a:3/x"])},
            (1, 3),
        ),
        # IPv6 and a name with a password have colons of their own.
        ({"expose": ["8000"], **check(["CMD", "curl", "http://[::1]:8000/"])}, (8000,)),
        ({"expose": ["80", "1"], **check(["CMD", "curl", "http://[::1]/"])}, (80,)),
        ({"expose": ["8000", "80"], **check(["CMD", "curl", "http://me:1234@localhost:8000/x"])}, (8000,)),
        ({"expose": ["80", "1234"], **check("curl http://me:1234@localhost/x:1234")}, (80,)),
        # What is said of a port counts more than what its health check looks like.
        ({**published((8000, "tcp", "tcp")), **check(["CMD", "curl", "http://localhost:8000/"])}, ()),
        ({"expose": ["1", "2"], "x-homeport": {"mode": "http"}}, (1, 2)),
        ({**published((80, "tcp", "http")), "x-homeport": {"mode": "tcp"}}, ()),
        ({**published((80, "tcp", "tcp")), "x-homeport": {"mode": "http"}}, (80,)),
    ],
)
def test_ports_that_speak_http(spec: Spec, http: tuple[int, ...]) -> None:
    assert service(spec).http_ports == frozenset(http)


@pytest.mark.parametrize(
    ("spec", "partners"),
    [
        ({"network_mode": "service:vpn"}, ("vpn",)),
        ({"pid": "service:app"}, ("app",)),
        ({"ipc": "service:app"}, ("app",)),
        ({"network_mode": "host", "pid": "service:app"}, ("app",)),
        ({"network_mode": "service:vpn", "pid": "service:app", "ipc": "service:vpn"}, ("vpn", "app")),
        ({"volumes_from": ["data"]}, ("data",)),
        ({"volumes_from": ["data:ro", "more:rw"]}, ("data", "more")),
        ({"volumes_from": ["app:ro"], "pid": "service:app"}, ("app",)),
        ({"volumes_from": ["container:abc", "container:def:ro"]}, ()),
        ({"network_mode": "host"}, ()),
        ({"network_mode": "none", "pid": "host", "ipc": "shareable"}, ()),
        ({"network_mode": "container:abc"}, ()),
    ],
)
def test_the_services_that_it_shares_something_with(spec: Spec, partners: tuple[str, ...]) -> None:
    assert service(spec).partners == partners


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (check(["CMD", "true"]), True),
        (check("curl localhost"), True),
        ({"healthcheck": {"disable": True}}, False),
        ({"healthcheck": {"test": ["CMD", "true"], "disable": True}}, False),
        ({"healthcheck": {"interval": "5s"}}, False),
        (check([]), False),
        (check(["NONE"]), False),
        (check("NONE"), False),
        (check(["CMD", "NONE"]), True),
        ({}, False),
    ],
)
def test_whether_there_is_a_health_check(spec: Spec, expected: bool) -> None:
    assert service(spec).has_health_check is expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, True),
        ({"healthcheck": None}, True),
        ({"healthcheck": {"interval": "5s"}}, True),
        (check([]), True),
        (check(["CMD", "true"]), True),
        (check(["NONE"]), False),
        (check("NONE"), False),
        ({"healthcheck": {"disable": True}}, False),
    ],
)
def test_the_health_check_of_the_image_counts_unless_the_file_takes_it_away(
    spec: Spec, expected: bool
) -> None:
    assert Service("api", spec, checked=True).has_health_check is expected


@pytest.mark.parametrize(
    ("mount", "written"),
    [
        ({"type": "volume", "source": "data", "target": "/data"}, ("data",)),
        ({"type": "bind", "source": "/srv/data", "target": "/data"}, ("/srv/data",)),
        ({"type": "bind", "source": "/srv/data", "target": "/data", "read_only": False}, ("/srv/data",)),
        ({"type": "bind", "source": "/srv/data", "target": "/data", "read_only": True}, ()),
        ({"type": "volume", "source": "data", "target": "/data", "read_only": True}, ()),
        ({"type": "volume", "target": "/anonymous"}, ()),
        ({"type": "tmpfs", "target": "/tmp"}, ()),  # noqa: S108 (a mount, not a file)
        ({"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"}, ()),
        ({"type": "bind", "source": "/run/php/fpm.sock", "target": "/fpm.sock"}, ()),
    ],
)
def test_volumes_that_it_writes_to(mount: Spec, written: tuple[str, ...]) -> None:
    assert service({"volumes": [mount]}).written == written


def test_all_written_volumes_in_their_order() -> None:
    mounts = [{"type": "volume", "source": name, "target": f"/{name}"} for name in ("b", "a")]
    assert service({"volumes": mounts}).written == ("b", "a")


DATA: Spec = {"volumes": [{"type": "volume", "source": "data", "target": "/data"}]}


@pytest.mark.parametrize(
    ("spec", "order", "reason"),
    [
        (HTTP_PORTS, START_FIRST, "nothing of its own"),
        ({**HTTP_PORTS, **DATA}, STOP_FIRST, "may write to data"),
        ({}, STOP_FIRST, "serves no port"),
        (published((53, "udp", ""), (53, "tcp", "")), STOP_FIRST, "UDP"),
        ({"expose": ["53/udp", "53/tcp"]}, STOP_FIRST, "UDP"),
        ({"network_mode": "host", "expose": ["80"]}, STOP_FIRST, "its network is host"),
        ({"network_mode": "none", "expose": ["80"]}, STOP_FIRST, "its network is none"),
        ({"network_mode": "container:abc", "expose": ["80"]}, STOP_FIRST, "its network is container:abc"),
        ({"network_mode": "service:vpn", "expose": ["80"]}, STOP_FIRST, "shares something of vpn"),
        ({"pid": "service:app", "expose": ["80"]}, STOP_FIRST, "shares something of app"),
        ({"ipc": "service:app", "expose": ["80"]}, STOP_FIRST, "shares something of app"),
        ({"volumes_from": ["data:ro"], "expose": ["80"]}, STOP_FIRST, "shares something of data"),
        ({"network_mode": "host", "pid": "service:app"}, STOP_FIRST, "shares something of app"),
        ({"container_name": "the-worker"}, STOP_FIRST, "a name or port that only one can have"),
        ({"container_name": "the-api", **HTTP_PORTS}, START_FIRST, "nothing of its own"),
        ({**HTTP_PORTS, **DATA, **update(order="start-first")}, START_FIRST, "the file says so"),
        ({**HTTP_PORTS, **update(order="stop-first")}, STOP_FIRST, "the file says so"),
        ({**HTTP_PORTS, **update(parallelism=1)}, START_FIRST, "nothing of its own"),
    ],
)
def test_the_order_and_why(spec: Spec, order: str, reason: str) -> None:
    found, why = service(spec).order
    assert found == order
    assert reason in why


@pytest.mark.parametrize(
    ("spec", "order"),
    [
        ({}, START_FIRST),  # a worker that may well run twice
        (HTTP_PORTS, START_FIRST),
        ({**HTTP_PORTS, "container_name": "the-api"}, START_FIRST),
        ({"container_name": "the-worker"}, STOP_FIRST),
        ({**HTTP_PORTS, "restart": "no", "network_mode": "host"}, STOP_FIRST),
        (published((53, "udp", "")), STOP_FIRST),
        ({**HTTP_PORTS, "pid": "service:app"}, STOP_FIRST),
        ({"volumes_from": ["app"]}, STOP_FIRST),
    ],
)
def test_start_first_in_the_file_loses_where_the_service_cannot_run_twice(spec: Spec, order: str) -> None:
    found, why = service({**spec, **update(order="start-first")}).order
    assert found == order
    assert (why == "the file says so") is (order == START_FIRST)


def test_a_published_port_of_a_one_shot_can_only_be_taken_once() -> None:
    spec = {**HTTP_PORTS, **update(order="start-first")}
    assert Service("api", spec, awaited=True).order == (
        STOP_FIRST,
        "it has a name or port that only one can have",
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (HTTP_PORTS, True),
        ({"expose": ["80"]}, True),
        ({"x-homeport": {"ports": [80]}}, True),
        ({**HTTP_PORTS, **DATA}, True),
        ({**HTTP_PORTS, **update(order="stop-first")}, True),
        ({}, False),
        ({"restart": "no"}, False),
        ({"expose": ["80"], "network_mode": "host"}, False),
        ({"expose": ["80"], "network_mode": "none"}, False),
        ({"expose": ["80"], "network_mode": "bridge"}, False),
        ({"expose": ["80"], "network_mode": "container:abc"}, False),
        ({"expose": ["80"], "network_mode": "service:vpn"}, False),
        ({"expose": ["80"], "pid": "service:app"}, False),
        ({"expose": ["80"], "volumes_from": ["app"]}, False),
        ({"expose": ["80", "53/udp"]}, False),
        (published((443, "tcp", ""), (443, "udp", "")), False),
        ({**HTTP_PORTS, "scale": 0}, False),
    ],
)
def test_who_can_have_a_front(spec: Spec, expected: bool) -> None:
    assert service(spec).can_have_front is expected


@pytest.mark.parametrize("action", [ROLLBACK, PAUSE, CONTINUE])
def test_what_a_failure_leads_to(action: str) -> None:
    assert service(update(failure_action=action)).failure_action == action


@pytest.mark.parametrize(
    ("replicas", "parallelism", "expected"),
    [
        (1, 1, (1,)),
        (3, 0, (3,)),
        (3, 1, (1, 2, 3)),
        (5, 2, (2, 4, 5)),
        (4, 2, (2, 4)),
        (2, 9, (2,)),
        (3, None, (3,)),
        (0, 1, ()),
    ],
)
def test_replicas_come_in_portions(replicas: int, parallelism: int | None, expected: tuple[int, ...]) -> None:
    said = {"deploy": {"replicas": replicas, "update_config": {"parallelism": parallelism, "delay": "2s"}}}
    assert service(said).portions == expected
    assert service(said).delay == 2.0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("alembic upgrade head", ("alembic", "upgrade", "head")),
        ("sh -c 'a && b'", ("sh", "-c", "a && b")),
        (["sh", "-c", "a b"], ("sh", "-c", "a b")),
        ("", ()),
        ([], ()),
    ],
)
def test_a_command_before_or_after(said: object, expected: tuple[str, ...]) -> None:
    for when in ("before", "after"):
        assert service({"x-homeport": {when: said}}).hook(when) == expected


@pytest.mark.parametrize("said", [5, ["a", 5], [""], {"run": "a"}, "a 'b"])
def test_what_is_no_command(said: object) -> None:
    with pytest.raises(DefinitionError, match="x-homeport before is a command"):
        parse_stack({"name": "shop", "services": {"api": {"x-homeport": {"before": said}}}})


STACK: Spec = {
    "name": "shop",
    "services": {
        "api": {"image": "x/api", "container_name": "the-api", **HTTP_PORTS},
        "worker": {"image": "x/api"},
        "base": {"image": "x/base", "scale": 0},
        "later": {"image": "x/later", "deploy": {"replicas": 0}},
    },
    "volumes": {"data": {"name": "shop_data"}},
}


def test_a_stack_has_its_services_in_order_with_the_ports_of_their_images() -> None:
    stack = parse_stack(STACK, {"worker": (9000,)})
    assert stack.name == "shop"
    assert list(stack.services) == ["api", "worker", "base", "later"]
    assert stack.services["api"].container_name == "the-api"
    assert stack.services["api"].image == "x/api"
    assert stack.services["worker"].ports == (9000,)
    assert stack.document["volumes"] == {"data": {"name": "shop_data"}}


def test_a_stack_knows_whose_image_checks_itself() -> None:
    stack = parse_stack(STACK, checked={"api"})
    assert stack.services["api"].has_health_check
    assert not stack.services["worker"].has_health_check


@pytest.mark.parametrize("document", [{}, {"services": None}, {"name": None, "services": {}}])
def test_a_stack_without_services(document: Spec) -> None:
    assert parse_stack(document) == Stack("", {}, document)


def test_by_default_all_that_run_are_selected() -> None:
    assert parse_stack(STACK).select([]) == ("api", "worker")


def test_who_is_named_is_selected_once_in_the_order_of_the_file() -> None:
    stack = parse_stack(STACK)
    assert stack.select(["worker", "api", "worker"]) == ("api", "worker")
    assert stack.select(iter(["worker"])) == ("worker",)


@pytest.mark.parametrize("name", ["base", "later"])
def test_what_is_scaled_to_zero_is_not_selected_although_it_is_named(name: str) -> None:
    stack = parse_stack(STACK)
    assert stack.select([name]) == ()
    assert stack.select([name, "api"]) == ("api",)


PARTNERS: Spec = {
    "name": "shop",
    "services": {
        "alone": {},
        "vpn": {},
        "app": {"network_mode": "service:vpn"},
        "debug": {"pid": "service:app", "volumes_from": ["data:ro"]},
        "data": {},
        "off": {"ipc": "service:vpn", "scale": 0},
    },
}


@pytest.mark.parametrize("name", ["vpn", "app", "debug", "data"])
def test_partners_are_selected_together_however_far(name: str) -> None:
    assert parse_stack(PARTNERS).select([name]) == ("vpn", "app", "debug", "data")


def test_who_has_no_partners_is_selected_alone() -> None:
    assert parse_stack(PARTNERS).select(["alone"]) == ("alone",)


def test_a_partner_that_the_file_does_not_have_is_not_selected() -> None:
    stack = parse_stack({"services": {"app": {"volumes_from": ["gone"]}}})
    assert stack.select(["app"]) == ("app",)


def test_a_service_that_is_not_there_suggests_the_nearest() -> None:
    with pytest.raises(DefinitionError, match="no service 'wroker' in shop") as caught:
        parse_stack(STACK).select(["api", "wroker"])
    assert caught.value.cause == "did you mean 'worker'?"
    assert "api, worker, base, later" in caught.value.hint
    assert caught.value.exit_code == 2


def own(setting: object) -> Spec:
    return {"services": {"api": {"x-homeport": setting}}}


FINE: tuple[object, ...] = (
    None,
    {},
    {"mode": "http"},
    {"mode": "tcp"},
    {"ports": []},
    {"ports": [1, 65535]},
    {"drain": "1m"},
    {"drain": None},
    {"ports": [80], "mode": "tcp", "drain": "0s"},
)


@pytest.mark.parametrize("setting", FINE)
def test_own_settings_that_are_fine(setting: object) -> None:
    assert list(parse_stack(own(setting)).services) == ["api"]


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [("port", "'ports'"), ("Mode", "'mode'"), ("drian", "'drain'"), ("colour", ""), (7, "")],
)
def test_an_unknown_own_setting_suggests_the_nearest(key: object, suggestion: str) -> None:
    with pytest.raises(DefinitionError, match=f"'api': x-homeport has no setting '{key}'") as caught:
        parse_stack(own({key: "x"}))
    assert caught.value.cause == (f"did you mean {suggestion}?" if suggestion else "")
    assert "drain" in caught.value.hint
    assert "ports" in caught.value.hint


@pytest.mark.parametrize("setting", ["http", ["ports"], 8000])
def test_own_settings_are_a_mapping(setting: object) -> None:
    with pytest.raises(DefinitionError, match="'api': x-homeport must be a mapping"):
        parse_stack(own(setting))


@pytest.mark.parametrize("mode", ["udp", "HTTP", "", 1, None, ["http"]])
def test_an_unknown_mode(mode: object) -> None:
    with pytest.raises(DefinitionError, match="'http' or 'tcp'"):
        parse_stack(own({"mode": mode}))


@pytest.mark.parametrize(
    "ports", [80, "80", ["80"], [80, "81"], [0], [-1], [65536], [80.0], None, {"80": 80}, [None]]
)
def test_own_ports_are_a_list_of_port_numbers(ports: object) -> None:
    with pytest.raises(DefinitionError, match="'api': x-homeport ports is a list of port numbers"):
        parse_stack(own({"ports": ports}))


@pytest.mark.parametrize("drain", ["soon", 30, "30", "1w", []])
def test_an_own_drain_is_a_duration(drain: object) -> None:
    with pytest.raises(DefinitionError, match="no duration"):
        parse_stack(own({"drain": drain}))
