"""What a front is told, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import pytest

from homeport.deploy.haproxy import (
    CLI_PORT,
    Route,
    ServerState,
    config,
    fill,
    hold,
    host_of,
    in_flight,
    parse_states,
    read_route,
    slots_for,
    state,
)

SET = "api-r1a2b3c4d"
HOST = host_of(SET)


def made(
    ports: Sequence[int] = (8000,),
    route: Route | None = None,
    slots: int = 4,
    *,
    http: Collection[int] = (),
) -> str:
    return config(ports, route or Route("a", SET), slots, http=http)


def section(text: str, name: str) -> list[str]:
    """The lines of a section, without what is around them."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line == name or line.startswith(f"{name} "))
    rest = lines[start + 1 :]
    end = next((number for number, line in enumerate(rest) if not line.startswith(" ")), len(rest))
    return [line.strip() for line in rest[:end]]


def server(text: str, port: int, name: str) -> str:
    """The line of a group (``a``, ``b``) or of ``hold`` in the backend of a port."""
    found = [line for line in section(text, f"backend b{port}") if line.split()[1] == name]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("group", ["a", "b"])
@pytest.mark.parametrize("name", [SET, "", "x.y_z-r0"])
def test_the_route_is_read_from_the_configuration(group: str, name: str, held: bool) -> None:
    text = made((80, 443), Route(group, name, held), http=(80,))
    assert read_route(text) == Route(group, name, held, (80, 443), frozenset({80}))


@pytest.mark.parametrize(
    ("route", "first"),
    [
        (Route("b", SET), f"# homeport: group b is {SET}"),
        (Route("b", SET, held=True), f"# homeport: group b is {SET}, held"),
        (Route("a", "", held=True), "# homeport: group a is , held"),
    ],
)
def test_the_first_line_of_the_configuration_says_all_of_the_route(route: Route, first: str) -> None:
    assert made(route=route).splitlines()[0] == first
    assert read_route(f"{first}\nglobal\n") == route


@pytest.mark.parametrize(
    "text", ["", "global\n    maxconn 10\n", "# homeport: group c is x\n", " # homeport: group a is x\n"]
)
def test_another_configuration_has_no_route(text: str) -> None:
    assert read_route(text) is None


def test_the_other_group() -> None:
    assert Route("a", SET).other == "b"
    assert Route("b", SET).other == "a"
    assert Route() == Route("a", "", held=False)


@pytest.mark.parametrize(("live", "other"), [("a", "b"), ("b", "a")])
def test_the_live_group_has_the_set_and_the_other_nothing(live: str, other: str) -> None:
    text = made(route=Route(live, SET), slots=6)
    used, unused = server(text, 8000, live), server(text, 8000, other)
    assert used.startswith(f"server-template {live} 1-6 {HOST}:8000 ")
    assert "resolvers docker" in used
    assert "disabled" not in used
    assert unused.startswith(f"server-template {other} 1-6 127.0.0.1:8000 ")
    assert unused.endswith(" disabled")
    assert "resolvers docker" in unused
    assert server(text, 8000, "hold").endswith(" backup disabled")


def test_held_from_the_start_no_group_is_used_and_hold_is() -> None:
    text = made(route=Route("a", SET, held=True))
    assert server(text, 8000, "a").endswith(" disabled")
    assert server(text, 8000, "b").endswith(" disabled")
    assert server(text, 8000, "hold").endswith(" backup")
    assert text.count(SET) == 1  # only where it is read again


def test_without_a_set_no_group_is_used() -> None:
    text = made(route=Route())
    assert server(text, 8000, "a").endswith(" disabled")
    assert server(text, 8000, "b").endswith(" disabled")


def test_each_port_has_its_own_sections_and_mode() -> None:
    text = made((80, 5432), http=(80, 9999))
    for port in (80, 5432):
        assert f"frontend p{port} from {port}" in text
        assert f"backend b{port} from {port}" in text
        assert section(text, f"frontend p{port}") == [f"bind :{port}", f"default_backend b{port}"]
        assert f"{HOST}:{port} " in server(text, port, "a")
    assert "mode http" in section(text, "defaults 80")
    assert section(text, "defaults 5432") == ["mode tcp"]
    assert "9999 from" not in text


def test_only_http_may_try_again_and_names_the_caller() -> None:
    text = made((80, 5432), http=(80,))
    http = section(text, "defaults 80")
    assert "retry-on conn-failure" in http
    assert "option forwardfor if-none" in http
    assert text.count("retry-on") == 1
    assert text.count("forwardfor") == 1


def test_commands_are_taken_on_its_own_loopback_only() -> None:
    sockets = [line for line in section(made(), "global") if line.startswith("stats socket")]
    assert sockets == [f"stats socket ipv4@127.0.0.1:{CLI_PORT} level admin"]


def test_every_line_is_in_a_section_and_nothing_is_left_to_fill_in() -> None:
    text = made((80, 81, 82), http=(81,))
    assert text.endswith("\n")
    assert not re.search(r"[{}]", text)
    keywords = {line.split()[0] for line in text.splitlines() if not line.startswith((" ", "#"))}
    assert keywords == {"global", "resolvers", "defaults", "frontend", "backend"}


@pytest.mark.parametrize(("count", "slots"), [(0, 4), (1, 4), (2, 4), (3, 6), (10, 20)])
def test_room_to_grow(count: int, slots: int) -> None:
    assert slots_for(count) == slots


def test_commands_to_fill_a_group() -> None:
    assert fill([80, 443], "b", 2, SET) == [
        f"set server b80/b1 fqdn {HOST}",
        f"set server b80/b2 fqdn {HOST}",
        f"set server b443/b1 fqdn {HOST}",
        f"set server b443/b2 fqdn {HOST}",
    ]
    assert fill([80], "b", 0, SET) == []


@pytest.mark.parametrize("slots", [4, 6])
def test_every_server_that_the_configuration_makes_is_filled_and_set(slots: int) -> None:
    low, high = server(made((80,), slots=slots), 80, "a").split()[2].split("-")
    servers = [f"b80/a{number}" for number in range(int(low), int(high) + 1)]
    assert len(servers) == slots
    assert [command.split()[2] for command in fill([80], "a", slots, SET)] == servers
    assert [command.split()[2] for command in state([80], "a", slots, "ready")] == servers


@pytest.mark.parametrize("wanted", ["ready", "drain", "maint"])
def test_commands_for_the_state_of_a_group(wanted: str) -> None:
    assert state(iter((80, 443)), "a", 2, wanted) == [
        f"set server b80/a1 state {wanted}",
        f"set server b80/a2 state {wanted}",
        f"set server b443/a1 state {wanted}",
        f"set server b443/a2 state {wanted}",
    ]


def test_commands_to_hold_callers_and_to_let_them_go_on() -> None:
    assert hold([80, 443], on=True) == ["set server b80/hold state ready", "set server b443/hold state ready"]
    assert hold([80], on=False) == ["set server b80/hold state maint"]


def test_commands_name_what_the_configuration_has() -> None:
    text = made((80,), slots=4)
    for command in (*fill([80], "b", 4, SET), *state([80], "a", 4, "ready"), *hold([80], on=True)):
        backend, _, name = command.split()[2].partition("/")
        group = name.rstrip("0123456789")
        assert f"backend {backend} from" in text
        assert server(text, 80, group)


COLUMNS = (
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port "
    "srv_check_addr srv_agent_addr srv_agent_port"
)
LIVE = "3 b8000 1 a1 172.18.0.2 2 0 1 1 2 1 0 0 0 0 0 0 rep1 8000 - 0 0 - - 0"
EMPTY = "3 b8000 3 b1 127.0.0.1 0 5 1 1 2 1 0 0 8 0 0 0 - 9 - 0 0 - - 0"
FILLED = "3 b8000 5 b1 172.18.0.2 2 68 1 1 1 1 0 0 8 0 0 0 app-r1 8000 - 0 0 - - 0"


def test_states_as_haproxy_says_them() -> None:
    text = "\n".join(["1", COLUMNS, LIVE, EMPTY, FILLED, ""])
    assert parse_states(text) == (
        ServerState("b8000", "a1", "rep1", "172.18.0.2", usable=True),
        ServerState("b8000", "b1", "", "127.0.0.1", usable=False),
        ServerState("b8000", "b1", "app-r1", "172.18.0.2", usable=True),
    )


def test_states_between_other_answers_and_blank_lines() -> None:
    text = "\n".join(["", "", "1", COLUMNS, LIVE, "", EMPTY, "", "", "1", COLUMNS, FILLED, "", "done"])
    assert [one.name for one in parse_states(text)] == ["a1", "b1", "b1"]


@pytest.mark.parametrize("text", ["", "\n\n", "1\n", f"1\n{COLUMNS}\n", "Unknown command\n", LIVE])
def test_no_states_in_other_answers(text: str) -> None:
    assert parse_states(text) == ()


def test_a_row_that_is_cut_off_is_left_out() -> None:
    assert len(parse_states(f"1\n{COLUMNS}\n{LIVE}\n{FILLED[:40]}")) == 1


def test_an_unknown_address_and_name_are_empty() -> None:
    row = "3 b80 1 a1 - 0 32 1 1 2 1 0 0 0 0 0 0 - 80 - 0 0 - - 0"
    assert parse_states(f"1\n{COLUMNS}\n{row}\n") == (ServerState("b80", "a1", "", "", usable=False),)


# The bits of https://docs.haproxy.org/2.6/management.html, "show servers state".
@pytest.mark.parametrize(
    ("operational", "administrative", "usable"),
    [
        (2, 0x00, True),
        (2, 0x04, True),  # was disabled in the configuration, and isn't any more
        (2, 0x40, True),  # its name was changed by command
        (2, 0x44, True),
        (2, 0x01, False),  # maintenance by command
        (2, 0x02, False),  # maintenance with another server
        (2, 0x08, False),  # drain by command
        (2, 0x10, False),  # drain with another server
        (2, 0x20, False),  # maintenance for want of an address
        (2, 0x48, False),
        (0, 0x00, False),
        (0, 0x05, False),
        (3, 0x00, False),
    ],
)
def test_who_takes_new_connections(operational: int, administrative: int, usable: bool) -> None:
    row = f"3 b80 1 a1 10.0.0.2 {operational} {administrative} 1 1 2 1 0 0 0 0 0 0 x 80 - 0 0 - - 0"
    assert parse_states(f"1\n{COLUMNS}\n{row}\n")[0].usable is usable


@pytest.mark.parametrize(("name", "group"), [("a1", "a"), ("b12", "b"), ("hold", "hold")])
def test_the_group_of_a_server(name: str, group: str) -> None:
    assert ServerState("b80", name, "", "", usable=True).group == group


STAT = """\
# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,
p8000,FRONTEND,,,7,9,4000,120,3000,9000,0,0,0,,,,,OPEN,,
b8000,a1,0,0,2,3,,60,1500,4500,,0,,0,0,0,0,no check,1,
b8000,a2,0,0,1,3,,60,1500,4500,,0,,0,0,0,0,no check,1,
b8000,a10,0,0,4,4,,0,0,0,,0,,0,0,0,0,no check,1,
b8000,b1,0,0,8,8,,0,0,0,,0,,0,0,0,0,MAINT,1,
b8000,hold,0,0,16,16,,0,0,0,,0,,0,0,0,0,MAINT,1,
b8000,BACKEND,0,0,32,32,400,120,3000,9000,0,0,,0,0,0,0,UP,2,
p5432,FRONTEND,,,5,5,4000,5,0,0,0,0,0,,,,,OPEN,,
b5432,a1,0,0,64,64,,5,0,0,,0,,0,0,0,0,no check,1,
b5432,b1,0,0,,,,,,,,,,,,,,MAINT,1,
b5432,BACKEND,0,0,64,64,400,5,0,0,0,0,,0,0,0,0,UP,1,
b80000,a1,0,0,128,128,,5,0,0,,0,,0,0,0,0,no check,1,
"""


@pytest.mark.parametrize(
    ("group", "ports", "count"),
    [
        ("a", (8000,), 7),
        ("b", (8000,), 8),
        ("a", (5432,), 64),
        ("b", (5432,), 0),
        ("a", (8000, 5432), 71),
        ("a", (), 0),
        ("a", (9,), None),
    ],
)
def test_what_is_in_flight_in_a_group_on_some_ports(
    group: str, ports: tuple[int, ...], count: int | None
) -> None:
    assert in_flight(STAT, group, ports) == count


def test_blank_lines_after_and_between_the_rows_do_not_count() -> None:
    assert in_flight(STAT.replace("\nb8000,a2", "\n\nb8000,a2") + "\n\n", "a", [8000]) == 7


def test_blank_lines_before_the_rows_do_not_count_either() -> None:
    assert in_flight("\n\n" + STAT, "a", [8000]) == 7


def test_an_answer_that_says_nothing_is_no_zero() -> None:
    assert in_flight("", "a", [8000]) is None
    assert in_flight(STAT.splitlines()[0] + "\n", "a", [8000]) is None
    assert in_flight(STAT, "a", [8000, 1]) is None


def test_the_ports_may_come_from_anywhere() -> None:
    assert in_flight(STAT, "a", iter([8000])) == 7


@pytest.mark.parametrize("name", [SET, "_low-r1a2b3c4d", "x" * 63 + "-r1a2b3c4d", "Ünder.x_y-1-r1a2b3c4d"])
def test_a_host_is_a_name_that_every_resolver_takes(name: str) -> None:
    assert re.fullmatch(r"r[0-9a-f]{16}", host_of(name))
    assert host_of(name) == host_of(name) != host_of(name + "x")
