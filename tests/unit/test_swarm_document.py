"""A Compose service -> what ``docker stack deploy`` is given, what is left out, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.deploy.swarm import document
from homeport.engine.images import Image
from homeport.errors import DefinitionError
from homeport.model.stack import Service
from swarm_samples import IMAGE, SHARED, Spec, one_set, stack

PORT: Spec = {"target": 8000, "published": "80", "protocol": "tcp", "mode": "ingress"}
HOST_PORT: Spec = {**PORT, "mode": "host"}
BIND: Spec = {"type": "bind", "source": "/a", "target": "/b"}
DATA: Spec = {"type": "volume", "source": "data", "target": "/data"}


def service(**spec: Any) -> Service:
    return stack(api=spec).services["api"]


def made(**spec: Any) -> dict[str, Any]:
    names = {("secrets", "token"): "shop_token_1", ("configs", "conf"): "shop_conf_1"}
    return document.service_document(service(**spec), IMAGE, names)


# -- the order of updates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "order"),
    [
        pytest.param({"expose": ["8000"]}, "start-first", id="it keeps nothing"),
        pytest.param({"ports": [PORT]}, "start-first", id="the mesh has its port"),
        pytest.param({"ports": [PORT], "container_name": "api"}, "start-first", id="Swarm names containers"),
        pytest.param({"ports": [HOST_PORT]}, "stop-first", id="a port of the host"),
        pytest.param({"expose": ["8000"], "volumes": [DATA]}, "stop-first", id="a single writer"),
        pytest.param(
            {"expose": ["8000"], "volumes": [{**DATA, "read_only": True}]}, "start-first", id="reads"
        ),
        pytest.param({}, "stop-first", id="it serves no port"),
        pytest.param({"ports": [{**PORT, "protocol": "udp"}]}, "start-first", id="UDP through the mesh"),
    ],
)
def test_the_order_by_what_a_service_is(spec: Spec, order: str) -> None:
    assert document.order(service(**spec))[0] == order
    assert made(**spec)["deploy"]["update_config"]["order"] == order
    assert made(**spec)["deploy"]["rollback_config"]["order"] == order


@pytest.mark.parametrize(
    ("said", "spec", "order"),
    [
        ("stop-first", {"expose": ["8000"]}, "stop-first"),
        ("start-first", {"volumes": [DATA]}, "start-first"),
        ("start-first", {}, "start-first"),
        ("start-first", {"ports": [HOST_PORT]}, "stop-first"),
    ],
)
def test_the_file_decides_where_it_can(said: str, spec: Spec, order: str) -> None:
    assert document.order(service(**spec, deploy={"update_config": {"order": said}}))[0] == order


# -- fields -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"environment": {"A": "1", "B": None}}, {"environment": {"A": "1"}}),
        ({"extra_hosts": ["db=192.0.2.1", "v6=::1"]}, {"extra_hosts": ["db:192.0.2.1", "v6:::1"]}),
        ({"ports": [PORT]}, {"ports": [{**PORT, "published": 80}]}),
        (
            {"ports": [{"target": 8000, "app_protocol": "http"}]},
            {"ports": [{"target": 8000, "protocol": "tcp", "mode": "ingress"}]},
        ),
        (
            {"volumes": [{**BIND, "bind": {"create_host_path": True}}]},
            {"volumes": [BIND]},
        ),
        (
            {"volumes": [{**DATA, "volume": {"nocopy": True}}]},
            {"volumes": [{**DATA, "volume": {"nocopy": True}}]},
        ),
        (
            {"secrets": [{"source": "token", "mode": "0440"}]},
            {"secrets": [{"source": "shop_token_1", "target": "token", "mode": 0o440}]},
        ),
        ({"configs": [{"source": "conf"}]}, {"configs": [{"source": "shop_conf_1", "target": "/conf"}]}),
        (
            {"networks": {"default": {"aliases": ["a"], "ipv4_address": "192.0.2.3"}, "other": None}},
            {"networks": {"default": {"aliases": ["a"]}, "other": {}}},
        ),
        ({}, {"networks": {"default": {}}}),
        ({"healthcheck": {"test": ["NONE"]}}, {"healthcheck": {"disable": True}}),
        ({"healthcheck": {"disable": True, "interval": "1s"}}, {"healthcheck": {"disable": True}}),
        ({"command": ["a", "$$B"], "init": False}, {"command": ["a", "$$B"], "init": False}),
    ],
)  # fmt: skip
def test_what_is_written_otherwise(spec: Spec, expected: Spec) -> None:
    found = made(**spec)
    assert {key: found[key] for key in expected} == expected
    assert found["image"] == IMAGE


@pytest.mark.parametrize(
    "spec",
    [
        {"container_name": "a"}, {"build": {"context": "."}}, {"depends_on": {"db": {}}}, {"expose": ["80"]},
        {"shm_size": "64m"}, {"security_opt": ["no-new-privileges:true"]}, {"entrypoint": None},
        {"x-homeport": {"drain": "3s"}}, {"profiles": ["a"]},
    ],
)  # fmt: skip
def test_what_swarm_does_not_read_is_not_there(spec: Spec) -> None:
    assert not set(spec) & set(made(**spec))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"replicas": 1, "restart_policy": {"condition": "any"}}),
        ({"scale": 3}, {"replicas": 3}),
        ({"deploy": {"replicas": 2}, "restart": "unless-stopped"}, {"replicas": 2}),
        ({"restart": "on-failure:3"}, {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}),
        ({"restart": "on-failure"}, {"restart_policy": {"condition": "on-failure"}}),
        ({"restart": "no", "expose": ["80"]}, {"restart_policy": {"condition": "none"}}),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, {"restart_policy": {"condition": "none"}}),
        ({"cpus": 0.5, "mem_limit": "64"}, {"resources": {"limits": {"cpus": "0.5", "memory": "64"}}}),
        (
            {"mem_limit": "64", "deploy": {"resources": {"limits": {"memory": "32", "cpus": 2}}}},
            {"resources": {"limits": {"cpus": "2", "memory": "32"}}},
        ),
        ({"mem_reservation": "8"}, {"resources": {"reservations": {"memory": "8"}}}),
        ({"pids_limit": 9}, {"resources": {"limits": {"pids": 9}}}),
        ({"deploy": {"placement": {}, "endpoint_mode": "dnsrr"}}, {"endpoint_mode": "dnsrr"}),
    ],
)  # fmt: skip
def test_what_is_said_of_the_deploy(spec: Spec, expected: Spec) -> None:
    found = made(**spec)["deploy"]
    assert {key: found[key] for key in expected} == expected
    assert "placement" not in found


def test_a_failed_update_goes_back_unless_the_file_says_otherwise() -> None:
    assert made()["deploy"]["update_config"]["failure_action"] == "rollback"
    said = {"failure_action": "pause", "monitor": "20s", "parallelism": 2}
    found = made(deploy={"update_config": said})["deploy"]["update_config"]
    assert found == {**said, "order": "stop-first"}


def test_a_global_service_has_no_count() -> None:
    assert "replicas" not in made(deploy={"mode": "global"})["deploy"]


# -- refused, and left out --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"privileged": True}, "'privileged'"),
        ({"devices": [{"source": "/dev/ttyUSB0"}]}, "'devices'"),
        ({"network_mode": "host"}, "'network_mode'"),
        ({"volumes_from": ["db"]}, "'volumes_from'"),
        ({"pid": "host"}, "'pid'"),
        ({"ipc": "service:db"}, "'ipc'"),
        ({"gpus": [{"count": -1}]}, "'gpus'"),
        ({"runtime": "nvidia"}, "'runtime'"),
        ({"userns_mode": "host"}, "'userns_mode'"),
        ({"x-homeport": {"before": "migrate"}}, "under x-homeport"),
        ({"ports": [{**PORT, "host_ip": "127.0.0.1"}]}, "on every address"),
        ({"ports": [{**PORT, "published": "8000-8010"}]}, "one of a range"),
        ({"volumes": [{**DATA, "volume": {"subpath": "a"}}]}, "mount all of it"),
    ],
)
def test_what_would_be_dangerous_to_leave_out_is_refused(spec: Spec, words: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        document.check(service(**spec), nodes=1)
    assert "'api'" in raised.value.what
    assert words in raised.value.cause
    assert raised.value.hint


@pytest.mark.parametrize(
    "spec",
    [
        {"privileged": False, "container_name": "api"},
        {"restart": "no", "expose": ["80"]},
        {"ports": [{**PORT, "host_ip": "0.0.0.0"}]},  # noqa: S104 - what a file says
        {"volumes": [DATA]},
    ],
)
def test_what_can_run_can_run(spec: Spec) -> None:
    document.check(service(**spec), nodes=1)


def test_a_service_that_another_waits_for_to_end_is_a_job() -> None:
    waits = {"depends_on": {"migrate": {"condition": "service_completed_successfully"}}}
    said = {
        "update_config": {"monitor": "9s"},
        "endpoint_mode": "dnsrr",
        "restart_policy": {"condition": "any"},
    }
    both = stack(api=waits, migrate={"deploy": said, "mem_limit": "9"}).services
    found = document.service_document(both["migrate"], IMAGE, {})["deploy"]
    assert found == {
        "mode": "replicated-job", "replicas": 1, "restart_policy": {"condition": "none"},
        "resources": {"limits": {"memory": "9"}},
    }  # fmt: skip
    assert "mode" not in document.service_document(both["api"], IMAGE, {})["deploy"]
    assert made(restart="no")["deploy"]["mode"] == "replicated-job"


def test_a_volume_on_several_machines_needs_a_place() -> None:
    with pytest.raises(DefinitionError) as raised:
        document.check(service(volumes=[DATA]), nodes=3)
    assert "each of the 3 machines" in raised.value.cause
    document.check(service(volumes=[{**DATA, "read_only": True}]), nodes=3)
    placed = {"placement": {"constraints": ["node.hostname == a"]}}
    document.check(service(volumes=[DATA], deploy=placed), nodes=3)


def test_what_is_left_out_is_said_once_for_all_services() -> None:
    services = stack(
        a={"shm_size": "1", "container_name": "a"},
        b={"shm_size": "1", "depends_on": {"a": {}}},
        c={"init": True},
    ).services.values()
    found = document.warnings(services, {}, nodes=1)
    assert [line for line in found if "shm_size of a, b" in line]
    assert [line for line in found if "container_name of a is left out" in line]
    assert [line for line in found if line.startswith("depends_on")]
    assert len(found) == 3


def test_nothing_left_out_is_no_warning() -> None:
    whole = stack(a={"build": {"context": "."}, "expose": ["80"], "healthcheck": {"test": ["CMD", "a"]}})
    assert document.warnings(whole.services.values(), {"a": IMAGE}, nodes=3) == ()


def test_an_image_without_a_digest_matters_on_several_machines_only() -> None:
    services = list(stack(a={}).services.values())
    assert document.warnings(services, {"a": "x/api:1"}, nodes=1) == ()
    assert "only this machine" in document.warnings(services, {"a": "x/api:1"}, nodes=2)[0]


@pytest.mark.parametrize(
    ("name", "digests", "expected"),
    [
        ("x/api:1", ("x/api@sha256:aa",), "x/api:1@sha256:aa"),
        ("x/api", ("docker.io/x/api@sha256:aa",), "x/api@sha256:aa"),
        ("x/api:1", ("y/api@sha256:aa",), "x/api:1"),
        ("x/api:1", (), "x/api:1"),
        ("x/api@sha256:bb", ("x/api@sha256:bb",), "x/api@sha256:bb"),
        ("h:5000/api:1", ("h:5000/api@sha256:cc", "x/api@sha256:aa"), "h:5000/api:1@sha256:cc"),
    ],
)
def test_an_image_is_named_by_the_digest_of_its_own_registry(
    name: str, digests: tuple[str, ...], expected: str
) -> None:
    assert document.reference(name, Image("sha256:1", frozenset(), digests=digests)) == expected


# -- forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        {"environment": {"A": "2"}}, {"command": ["x"]}, {"labels": {"a": "b"}}, {"volumes": [DATA]},
        {"deploy": {"resources": {"limits": {"memory": "9"}}}}, {"restart": "on-failure"},
        {"healthcheck": {"test": ["CMD", "a"]}},
    ],
)  # fmt: skip
def test_what_changes_a_container_is_another_form(spec: Spec) -> None:
    assert one_set(**spec).name != one_set().name


@pytest.mark.parametrize(
    "spec",
    [
        {"deploy": {"replicas": 3}}, {"deploy": {"update_config": {"monitor": "9s"}}},
        {"deploy": {"labels": {"a": "b"}}}, {"ports": [PORT]},
        {"build": {"context": "."}}, {"container_name": "api"},
    ],
)  # fmt: skip
def test_what_changes_no_container_is_the_same_form(spec: Spec) -> None:
    assert one_set(**spec).name == one_set().name


def test_all_that_is_told_to_swarm_is_in_the_settings() -> None:
    def settings(**spec: Any) -> str:
        return str(one_set(**spec).spec["deploy"]["labels"][document.SETTINGS_LABEL])

    assert settings() == settings(container_name="api")
    assert len({settings(), settings(deploy={"replicas": 3}), settings(ports=[PORT])}) == 3


def test_another_network_or_image_is_another_form() -> None:
    other = {"networks": {"default": {"name": "elsewhere"}}}
    assert len({one_set().name, one_set(shared=other).name, one_set(image="x/api:1@sha256:bb").name}) == 3


# -- the document -----------------------------------------------------------------------------------------


def test_a_document_has_what_its_services_use_and_nothing_else() -> None:
    shared = {
        "networks": {"default": {"name": "shop_default"}, "back": {"name": "shop_back"}},
        "volumes": {"data": {"name": "shop_data"}, "other": {"name": "shop_other"}},
        "secrets": {}, "configs": {},
    }  # fmt: skip
    found = document.whole([one_set("api", shared=shared, volumes=[DATA])], shared)
    assert found["networks"] == {"default": {"name": "shop_default"}}
    assert found["volumes"] == {"data": {"name": "shop_data"}}
    assert set(found) == {"version", "services", "networks", "volumes"}


def test_networks_of_one_machine_become_networks_of_all() -> None:
    found = document.shared_document(
        "shop",
        {
            "networks": {
                "default": {"name": "shop_default", "driver": "bridge", "ipam": {}},
                "fast": {"driver": "macvlan", "attachable": True},
                "theirs": {"name": "lan", "external": True},
            },
            "volumes": {"data": None, "nfs": {"name": "nfs", "driver_opts": {"o": "addr=a"}}},
        },
        {("secrets", "token"): "shop_token_1"},
    )
    assert found == {
        "networks": {
            "default": {"name": "shop_default"},
            "fast": {"name": "shop_fast", "driver": "macvlan", "attachable": True},
            "theirs": {"name": "lan", "external": True},
        },
        "volumes": {"data": {"name": "shop_data"}, "nfs": {"name": "nfs", "driver_opts": {"o": "addr=a"}}},
        "secrets": {"shop_token_1": {"external": True}},
        "configs": {},
    }


def test_a_project_that_names_no_network_has_the_default_one() -> None:
    assert document.shared_document("shop", {}, {})["networks"] == SHARED["networks"]
