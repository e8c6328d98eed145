"""What is said of Compose projects, and what isn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.audit import composes
from homeport.model.finding import Finding
from homeport.sources.compose import read

GOOD = """\
services:
  web:
    image: nginx:1.27
    restart: unless-stopped
    ports: ["8080:80"]
    deploy: {resources: {limits: {cpus: "0.5", memory: 128M}}}
    logging: {driver: local}
"""


def find(folder: Path, text: str, *checked: str, **files: str) -> list[Finding]:
    for name, content in {
        "compose.yml": text,
        **{f"{key}.yml": value for key, value in files.items()},
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    return composes.find(read(folder, (), {}), lambda service: service.name in checked)


def said(found: list[Finding], *ids: str) -> list[tuple[str, int, str]]:
    return [(one.rule.id, one.line, one.what) for one in found if not ids or one.rule.id in ids]


def service(lines: str) -> str:
    """GOOD's service with other lines."""
    return f"services:\n  web:\n    image: nginx:1.27\n{lines}"


def test_nothing_is_said_of_a_good_service(tmp_path: Path) -> None:
    assert said(find(tmp_path, GOOD)) == []


def test_what_a_bare_service_lacks(tmp_path: Path) -> None:
    assert said(find(tmp_path, "services:\n  a: {image: x:1}\n")) == [
        ("no-limits", 2, "a has no limit of CPU and memory"),
        ("no-restart", 2, "a has no restart policy"),
        ("no-log-rotation", 2, "a has no log rotation"),
    ]


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ("    cpus: 1\n", ["memory"]),
        ("    mem_limit: 1g\n", ["CPU"]),
        ("    mem_limit: 1g\n    cpus: 1\n", []),
        ("    mem_limit: 1g\n    cpu_quota: 50000\n", []),
        ("    mem_limit: 1g\n    cpuset: '0,1'\n", []),
        ("    deploy: {resources: {limits: {cpus: '1'}}}\n", ["memory"]),
        ("    deploy: {resources: {reservations: {cpus: '1'}}}\n", ["CPU", "memory"]),
    ],
)
def test_limits_in_either_form(tmp_path: Path, lines: str, missing: list[str]) -> None:
    found = said(find(tmp_path, service(lines)), "no-limits")
    assert [what for _, _, what in found] == (
        [f"web has no limit of {' and '.join(missing)}"] if missing else []
    )


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        ("", True),
        ("    restart: always\n", False),
        ('    restart: "no"\n', False),
        ("    deploy: {restart_policy: {condition: any}}\n", False),
    ],
)
def test_a_restart_policy(tmp_path: Path, lines: str, counts: bool) -> None:
    assert bool(said(find(tmp_path, service(lines)), "no-restart")) is counts


def test_one_that_others_wait_for_to_end_runs_once(tmp_path: Path) -> None:
    text = (
        "services:\n  job: {image: x:1}\n  web:\n    image: x:1\n"
        "    depends_on: {job: {condition: service_completed_successfully}}\n"
    )
    assert {
        what.partition(" ")[0] for _, _, what in said(find(tmp_path, text), "no-restart", "no-limits")
    } == {"web"}


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        ("", True),
        ("    logging: {driver: json-file}\n", True),
        ("    logging: {options: {max-file: '3'}}\n", True),
        ("    logging: {options: {max-size: 10m}}\n", False),
        ("    logging: {driver: local}\n", False),
        ("    logging: {driver: journald}\n", False),
        ("    logging: {driver: fluentd}\n", False),
        ("    logging: {driver: '${DRIVER}'}\n", False),
    ],
)
def test_log_rotation(tmp_path: Path, lines: str, counts: bool) -> None:
    assert bool(said(find(tmp_path, service(lines)), "no-log-rotation")) is counts


@pytest.mark.parametrize(
    ("depends", "checked", "counts"),
    [
        ("[db]", ["db"], True),
        ("[db]", [], False),
        ("{db: {condition: service_started}}", ["db"], False),
        ("{db: {condition: service_healthy}}", ["db"], False),
        ("{db: {condition: service_completed_successfully}}", ["db"], False),
        ("[gone]", ["gone"], False),
    ],
)
def test_starting_before_another_is_well(
    tmp_path: Path, depends: str, checked: list[str], counts: bool
) -> None:
    text = f"services:\n  db: {{image: x:1}}\n  web:\n    image: x:1\n    depends_on: {depends}\n"
    found = said(find(tmp_path, text, *checked), "starts-too-early")
    assert found == ([("starts-too-early", 5, "web starts before db is well")] if counts else [])


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        ("8080:80", "8080:81", True),
        ("8080:80", "127.0.0.1:8080:80", True),
        ("127.0.0.1:8080:80", "127.0.0.2:8080:80", False),
        ("8080:80/udp", "8080:80", False),
        ("8080-8082:80-82", "8081:80", True),
        ("${PORT:-8080}:80", "8080:80", True),
        ("${PORT}:80", "8080:80", False),
        ("80", "80", False),
    ],
)
def test_a_port_that_two_services_want(tmp_path: Path, first: str, second: str, counts: bool) -> None:
    text = "services:\n" + "".join(
        f'  {name}:\n    image: x:1\n    ports: ["{port}"]\n' for name, port in (("a", first), ("b", second))
    )
    found = said(find(tmp_path, text), "port-twice")
    assert [(line, what.partition(" ")[0]) for _, line, what in found] == ([(7, "b")] if counts else [])


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        ("[x]", "[y]", "port-twice-by-profiles"),
        ("[x]", "[x, y]", "port-twice"),
        ("[x]", "[]", "port-twice"),
    ],
)
def test_ports_of_profiles(tmp_path: Path, first: str, second: str, rule: str) -> None:
    text = "".join(
        f'  {name}: {{image: "x:1", ports: ["80:80"], profiles: {profiles}}}\n'
        for name, profiles in (("a", first), ("b", second))
    )
    found = said(find(tmp_path, f"services:\n{text}"), "port-twice", "port-twice-by-profiles")
    assert [one[0] for one in found] == [rule]


@pytest.mark.parametrize(
    ("image", "counts"),
    [
        ("nginx", True),
        ("nginx:latest", True),
        ("localhost:5000/nginx", True),
        ("nginx:1", False),
        ("nginx@sha256:abc", False),
        ("${IMAGE}", False),
        ("x:${TAG:-latest}", True),
        ("x:${TAG:-1}", False),
    ],
)
def test_an_image_without_a_version(tmp_path: Path, image: str, counts: bool) -> None:
    found = find(tmp_path, f'services:\n  a:\n    restart: always\n    image: "{image}"\n')
    assert [line for _, line, _ in said(found, "image-latest")] == ([4] if counts else [])


def test_what_is_built_here_has_no_version_of_its_own(tmp_path: Path) -> None:
    assert said(find(tmp_path, "services:\n  a: {image: x, build: .}\n"), "image-latest") == []


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("privileged: true", "privileged"),
        ("privileged: false", ""),
        ("cap_add: [SYS_ADMIN]", "privileged"),
        ("cap_add: [CAP_ALL]", "privileged"),
        ("cap_add: [NET_ADMIN]", ""),
        ("pid: host", "privileged"),
        ("pid: service:b", ""),
        ('volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]', "engine-socket"),
        ("network_mode: host", "host-network"),
        ("network_mode: none", ""),
    ],
)
def test_rights_of_the_host(tmp_path: Path, line: str, rule: str) -> None:
    found = said(find(tmp_path, service(f"    {line}\n")), "privileged", "engine-socket", "host-network")
    assert [(one, at) for one, at, _ in found] == ([(rule, 4)] if rule else [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('volumes: ["data:/data"]', "it may write to data, and two of it might harm that"),
        ('volumes: ["data:/data:ro"]', ""),
        ("network_mode: host", "its network is host, where no front can be"),
        ('expose: ["53/udp"]', "it serves UDP, which no front can hand over"),
        ("deploy: {update_config: {order: stop-first}}", "the file says so"),
        ("deploy: {replicas: '${COUNT}'}", ""),
    ],
)
def test_what_stops_before_the_new_one_starts(tmp_path: Path, line: str, reason: str) -> None:
    text = service(f'    ports: ["80:80"]\n    {line}\n') + "volumes: {data: }\n"
    found = said(find(tmp_path, text), "stops-first")
    assert [what for _, _, what in found] == ([f"web is replaced stop-first: {reason}"] if reason else [])
    assert [at for _, at, _ in found] == (
        [5 if "write" in reason or "network" in reason else 2] if reason else []
    )


def test_ports_that_homeport_is_told_of_are_numbers(tmp_path: Path) -> None:
    text = service('    ports: ["80:80"]\n    volumes: ["data:/data"]\n    x-homeport: {ports: [81]}\n')
    assert len(said(find(tmp_path, text), "stops-first")) == 1


def test_a_worker_without_callers_may_stop_first(tmp_path: Path) -> None:
    assert said(find(tmp_path, service('    volumes: ["data:/data"]\n')), "stops-first") == []


def test_included_files_in_conflict(tmp_path: Path) -> None:
    one = "services:\n  a: {image: x:1}\nvolumes:\n  logs:\n"
    two = "services:\n  b: {image: x:1}\nvolumes:\n  logs:\n    external: true\n"
    (found,) = [
        each
        for each in find(tmp_path, "include: [one.yml, two.yml]\n", one=one, two=two)
        if each.rule.id == "include-conflict"
    ]
    assert (found.path, found.line) == ("two.yml", 4)
    assert (
        found.what == "volumes.logs is defined otherwise in one.yml, line 4; compose.yml brings both together"
    )


def test_each_file_in_conflict_is_named(tmp_path: Path) -> None:
    one = "services:\n  a: {image: x:1}\nvolumes:\n  logs:\n"
    two = "services:\n  b: {image: x:1}\nvolumes:\n  logs:\n    external: true\n"
    three = two.replace("  b:", "  c:")
    found = find(tmp_path, "include: [one.yml, two.yml, three.yml]\n", one=one, two=two, three=three)
    paths = [each.path for each in found if each.rule.id == "include-conflict"]
    assert paths == ["two.yml", "three.yml"]


def test_the_place_is_where_a_layer_says_it(tmp_path: Path) -> None:
    (tmp_path / "compose.override.yml").write_text(
        "services:\n  web:\n    privileged: true\n", encoding="utf-8"
    )
    (found,) = find(tmp_path, GOOD)
    assert (found.path, found.line, found.rule.id) == ("compose.override.yml", 3, "privileged")


@pytest.mark.parametrize(
    "spec",
    [
        "{image: x:1, ports: 80, volumes: x, depends_on: y, deploy: [], logging: x, profiles: p}",
        "{image: [x], ports: [[]], volumes: [[]], cap_add: {}, privileged: [], healthcheck: x}",
        "{image: x:1, expose: [a-b], x-homeport: [], deploy: {update_config: {order: [x]}}}",
        "{build: {context: [x]}, network_mode: {}, volumes_from: x, restart: {}}",
        "{image: x:1, ports: ['1:1'], volumes_from: 1, deploy: {update_config: x}, x-homeport: {ports: x}}",
        "{image: x:1, ports: ['1:1'], volumes_from: {a: b}, x-homeport: {ports: [[], x, '2-3']}}",
    ],
)
def test_what_compose_would_refuse_is_no_reason_to_fail(tmp_path: Path, spec: str) -> None:
    find(tmp_path, f"services:\n  web: {spec}\n")
