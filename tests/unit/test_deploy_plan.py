"""What should run and what runs -> what a deploy does, service by service."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.deploy.desired import (
    CONFIG_LABEL,
    SLOTS_LABEL,
    Desired,
    ReplicaSet,
    desired,
)
from homeport.deploy.haproxy import Route
from homeport.deploy.plan import Action, DeployPlan, Running, Step, make, sort
from homeport.engine.containers import SERVICE_LABEL as COMPOSE_SERVICE
from homeport.engine.containers import Container
from homeport.model.roles import FRONT, REPLICA, ROLE_LABEL, SERVICE_LABEL
from homeport.model.stack import Stack, parse_stack

Spec = dict[str, Any]

CHECK: Spec = {"healthcheck": {"test": ["CMD", "true"]}}
WEB: Spec = {"image": "x/api", "expose": ["8000"], **CHECK}
WRITER: Spec = {**WEB, "volumes": [{"type": "volume", "source": "data", "target": "/data"}]}
WORKER: Spec = {"image": "x/worker", **CHECK}
ONCE: Spec = {"image": "x/api", "command": ["migrate"], "restart": "no"}


def container(
    service: str, name: str, *, role: str = "", state: str = "running", image: str = "", **more: Any
) -> Container:
    """A container of ``service``, which Compose knows as ``name``."""
    labels = {COMPOSE_SERVICE: name, **more.pop("labels", {})}
    if role:
        labels |= {ROLE_LABEL: role, SERVICE_LABEL: service}
    more = {"networks": {"shop_default": "192.0.2.1"}, **more}
    values = {"id": f"{name}-id", "name": f"shop-{name}-1", "image": image or f"sha256:{service}", **more}
    return Container(state=state, labels=labels, **values)


class World:
    """A stack, and what runs of it."""

    def __init__(self, **services: Spec) -> None:
        self.stack: Stack = parse_stack({"name": "shop", "services": services})
        self.wanted: Desired = self.want(self.stack)
        self.containers: list[Container] = []
        self.routes: dict[str, Route] = {}

    @staticmethod
    def want(stack: Stack, **images: str) -> Desired:
        ids = {name: f"sha256:{name}" for name in stack.select(())}
        return desired(stack, {**ids, **images}, {}, front_image="haproxy")

    def runs(self, service: str, name: str = "", count: int = 1, **more: Any) -> World:
        """So many containers of a replica set (by default of the one that should run)."""
        known = name or self.wanted.sets[service].name
        found = container(service, known, role=REPLICA, **more)
        self.containers += [found] * count
        return self

    def fronted(self, service: str, name: str = "", *, held: bool = False, **more: Any) -> World:
        """A front that routes to a replica set (by default to the one that should run)."""
        route = Route("a", name or self.wanted.sets[service].name, held)
        return self.front_of(service, route, **more)

    def front_of(self, service: str, route: Route | None, config: str = "", **more: Any) -> World:
        front = self.wanted.fronts.get(service)
        labels = {CONFIG_LABEL: config or (front.config if front else ""), SLOTS_LABEL: "4"}
        self.containers.append(container(service, f"{service}.front", role=FRONT, labels=labels, **more))
        if route is not None:
            self.routes[service] = route
        return self

    def plain(self, service: str, **more: Any) -> World:
        self.containers.append(container(service, service, **more))
        return self

    @property
    def running(self) -> dict[str, Running]:
        return sort(self.containers, self.routes)

    def plan(self, images: dict[str, str] | None = None, *, whole: bool = True) -> DeployPlan:
        return make(self.stack, self.want(self.stack, **(images or {})), self.running, whole=whole)

    def step(self, service: str = "api", **images: str) -> Step:
        return self.plan(images).steps[service]


def test_containers_are_sorted_by_service_and_role() -> None:
    world = World(api=WEB).runs("api", "api-r1", 2).runs("api", "api-r2", state="exited")
    found = world.plain("api").plain("db").fronted("api", "api-r1").running
    assert set(found) == {"api", "db"}
    api = found["api"]
    assert {name: len(members) for name, members in api.sets.items()} == {"api-r1": 2, "api-r2": 1}
    assert [one.service for one in api.plain] == ["api"]
    assert api.front is not None
    assert api.front.service == "api.front"
    assert (api.live, api.held) == ("api-r1", False)
    assert found["db"].live == ""
    assert found["db"].front is None


def test_nothing_runs_nothing_is_sorted() -> None:
    assert sort([], {}) == {}


def test_a_front_says_what_is_live_whatever_runs() -> None:
    world = World(api=WEB).runs("api", "api-r1").runs("api", "api-r2").fronted("api", "api-r2", held=True)
    assert world.running["api"].live == "api-r2"
    assert world.running["api"].held


def test_without_a_front_the_set_that_runs_is_live() -> None:
    world = World(worker=WORKER).runs("worker", "worker-r1", state="exited").runs("worker", "worker-r2")
    assert world.running["worker"].live == "worker-r2"


def test_a_front_that_says_nothing_has_no_live_set() -> None:
    assert World(api=WEB).runs("api").front_of("api", None).running["api"].live == ""


def test_without_a_front_nothing_is_live_if_nothing_runs() -> None:
    assert World(worker=WORKER).runs("worker", state="exited").running["worker"].live == ""


def test_what_runs_as_it_should_is_unchanged() -> None:
    world = World(api=WEB, worker=WORKER).runs("api").fronted("api").runs("worker")
    plan = world.plan()
    assert plan.stack == "shop"
    assert [step.action for step in plan.steps.values()] == [Action.UNCHANGED, Action.UNCHANGED]
    assert (plan.changes, plan.strays, plan.warnings) == ((), (), ())
    assert plan.steps["api"].target == world.wanted.sets["api"]
    assert plan.steps["api"].front == world.wanted.fronts["api"]


def test_what_does_not_run_yet_is_new() -> None:
    step = World(api=WEB).step()
    assert (step.action, step.why, step.before) == (Action.NEW, "it doesn't run yet", "")
    assert step.new_front
    assert step.front is not None
    worker = World(worker=WORKER).step("worker")
    assert worker.action is Action.NEW
    assert (worker.front, worker.new_front) == (None, False)


def test_a_worker_whose_containers_have_ended_is_new_again() -> None:
    step = World(worker=WORKER).runs("worker", state="exited").step("worker")
    assert (step.action, step.why) == (Action.NEW, "its containers are gone")


@pytest.mark.parametrize(
    ("spec", "action", "reason"),
    [
        (WEB, Action.START_FIRST, "keeps nothing of its own"),
        (WRITER, Action.STOP_FIRST, "may write to data"),
        (
            {**WRITER, "deploy": {"update_config": {"order": "start-first"}}},
            Action.START_FIRST,
            "the file says",
        ),
        ({**WEB, "deploy": {"update_config": {"order": "stop-first"}}}, Action.STOP_FIRST, "the file says"),
    ],
)
def test_another_form_is_replaced_in_the_order_of_the_service(
    spec: Spec, action: Action, reason: str
) -> None:
    step = World(api=spec).runs("api", "api-r0").fronted("api", "api-r0").step()
    assert step.action is action
    assert step.why.startswith("new configuration; ")
    assert reason in step.why
    assert step.before == "api-r0"
    assert not step.new_front


def test_another_image_is_named_as_the_reason() -> None:
    world = World(api=WEB).runs("api").fronted("api")
    step = world.step(api="sha256:new")
    assert step.action is Action.START_FIRST
    assert step.why.startswith("new image; ")
    assert step.target is not None
    assert step.target.image == "sha256:new"
    assert step.before == world.wanted.sets["api"].name


def test_a_worker_is_stopped_first() -> None:
    step = World(worker=WORKER).runs("worker", "worker-r0").step("worker")
    assert step.action is Action.STOP_FIRST
    assert "no port" in step.why
    assert step.before == "worker-r0"


@pytest.mark.parametrize("state", ["exited", "dead", "restarting", "paused", "created"])
def test_a_container_that_does_not_run_is_one_too_few(state: str) -> None:
    step = World(api=WEB).runs("api", state=state).fronted("api").step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith("0 of 1 containers run")


def test_fewer_containers_than_wanted() -> None:
    world = World(api={**WEB, "scale": 3}).runs("api", count=2).runs("api", state="exited").fronted("api")
    step = world.step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith("2 of 3 containers run; ")
    assert step.before == world.wanted.sets["api"].name
    assert world.runs("api").step().action is Action.UNCHANGED


def test_a_live_set_that_is_gone_is_replaced() -> None:
    step = World(api=WEB).fronted("api").step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith("0 of 1 containers run")


@pytest.mark.parametrize("count", [1, 3])
def test_any_other_number_of_containers_than_wanted_is_a_change(count: int) -> None:
    world = World(api={**WEB, "scale": 2}).runs("api", count=count).fronted("api")
    assert world.step().action is Action.START_FIRST
    worker = World(worker={**WORKER, "scale": 2}).runs("worker", count=count)
    assert worker.step("worker").action is Action.STOP_FIRST
    assert World(worker={**WORKER, "scale": 2}).runs("worker", count=2).plan().changes == ()


def test_another_scale_in_the_file_is_another_form() -> None:
    one, two = World(api=WEB), World(api={**WEB, "scale": 2})
    step = two.runs("api", one.wanted.sets["api"].name).fronted("api", one.wanted.sets["api"].name).step()
    assert (step.action, step.before) == (Action.START_FIRST, one.wanted.sets["api"].name)


def test_the_wanted_set_may_still_be_there_from_before() -> None:
    world = World(api=WEB).runs("api", state="exited").runs("api", "api-r0").fronted("api", "api-r0")
    step = world.step()
    assert (step.action, step.before) == (Action.START_FIRST, "api-r0")


def test_a_front_that_is_missing_is_made() -> None:
    step = World(api=WEB).runs("api").step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith("its front is gone; ")
    assert step.new_front


def test_a_front_that_should_be_another_is_made_anew() -> None:
    world = World(api=WEB).runs("api")
    route = Route("a", world.wanted.sets["api"].name)
    step = world.front_of("api", route, config="other").step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith("its front changes")
    assert step.new_front


def test_a_front_that_has_stopped_is_made_anew() -> None:
    step = World(api=WEB).runs("api").fronted("api", state="exited").step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith("its front is gone; ")
    assert step.new_front


def test_a_front_for_other_ports_is_made_anew_although_the_same_set_is_behind_it() -> None:
    ports = {"x-homeport": {"ports": [9000]}}
    before, world = World(api=WEB), World(api={**WEB, **ports})
    assert before.wanted.sets["api"].name == world.wanted.sets["api"].name
    route = Route("a", world.wanted.sets["api"].name)
    step = world.runs("api").front_of("api", route, config=before.wanted.fronts["api"].config).step()
    assert step.why.startswith("its front changes; ")
    assert step.new_front


NO_FRONT: dict[str, Spec] = {
    "host": {**WEB, "network_mode": "host"},
    "udp": {**WEB, "expose": ["8000", "53/udp"]},
    "partner": {**WEB, "volumes_from": ["container:abc", "other"]},
    "no port": WORKER,
}


@pytest.mark.parametrize("spec", NO_FRONT.values(), ids=NO_FRONT)
def test_a_front_that_the_service_can_have_no_more_is_old(spec: Spec) -> None:
    world = World(api=spec, other=WORKER).runs("api", "api-r0").fronted("api", "api-r0")
    step = world.step()
    assert (step.action, step.before) == (Action.STOP_FIRST, "api-r0")
    assert (step.front, step.new_front) == (None, False)
    assert step.old_front == world.containers[-1]


def test_a_front_that_can_be_there_no_more_is_a_change_of_its_own() -> None:
    step = World(worker=WORKER).runs("worker").fronted("worker").step("worker")
    assert step.action is Action.STOP_FIRST
    assert step.old_front is not None


def test_a_front_that_stays_or_never_was_is_not_old() -> None:
    assert World(api=WEB).runs("api", "api-r0").fronted("api", "api-r0").step().old_front is None
    assert World(worker=WORKER).runs("worker").step("worker").old_front is None


def test_a_release_that_does_not_say_what_its_fronts_were_keeps_them() -> None:
    world = World(api=WEB).runs("api", "api-r0").runs("api").fronted("api")
    old = ReplicaSet("api", "api-r0", "sha256:api", 1, {})
    step = make(world.stack, Desired("shop", {"api": old}, {}, {}), world.running, whole=False).steps["api"]
    assert (step.action, step.old_front, step.new_front) == (Action.START_FIRST, None, False)


def without_fronts(world: World) -> Step:
    ids = {name: f"sha256:{name}" for name in world.stack.services}
    wanted = desired(world.stack, ids, {}, fronts=False)
    return make(world.stack, wanted, world.running, whole=True).steps["api"]


@pytest.mark.parametrize("order", [{}, {"deploy": {"update_config": {"order": "start-first"}}}])
def test_what_has_no_front_is_stopped_first_and_told_how_to_get_one(order: Spec) -> None:
    step = without_fronts(World(api={**WEB, **order}).runs("api", "api-r0"))
    assert (step.action, step.before) == (Action.STOP_FIRST, "api-r0")
    assert "--zero-downtime" in step.why
    assert (step.front, step.new_front, step.old_front) == (None, False, None)


def test_what_could_have_no_front_anyway_is_replaced_as_it_says() -> None:
    again = {**WORKER, "deploy": {"update_config": {"order": "start-first"}}}
    step = without_fronts(World(api=again).runs("api", "api-r0"))
    assert step.action is Action.START_FIRST
    assert "--zero-downtime" not in step.why


def test_callers_that_still_wait_are_no_end() -> None:
    step = World(api=WEB).runs("api").fronted("api", held=True).step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith("its callers wait")
    assert not step.new_front


@pytest.mark.parametrize(
    ("image", "why"), [("", "it runs without homeport; "), ("sha256:old", "new image; ")]
)
def test_what_compose_made_is_replaced(image: str, why: str) -> None:
    world = World(api=WEB).plain("api", image=image)
    step = world.step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith(why)
    assert step.before == ""
    assert step.plain == tuple(world.containers)
    assert step.new_front


def test_a_writer_that_compose_made_is_stopped_first() -> None:
    assert World(api=WRITER).plain("api").step().action is Action.STOP_FIRST


def test_a_plain_container_beside_a_sound_set_is_not_left_alone() -> None:
    world = World(api=WEB).runs("api").fronted("api").plain("api", state="exited")
    step = world.step()
    assert step.action is Action.START_FIRST
    assert step.why.startswith("somebody started it with plain Compose; ")
    assert step.plain == (world.containers[-1],)


def test_a_service_whose_end_others_wait_for_runs_to_its_end() -> None:
    waits = {**WEB, "depends_on": {"seed": {"condition": "service_completed_successfully"}}}
    world = World(api=waits, seed=WEB)
    assert world.step("seed").action is Action.RUN
    assert world.step("seed").front is None
    assert world.runs("seed", state="exited").step("seed").action is Action.UNCHANGED


def test_a_one_shot_runs_once_in_each_form() -> None:
    world = World(migrate=ONCE)
    first = world.step("migrate")
    assert (first.action, first.front) == (Action.RUN, None)
    world.runs("migrate", state="exited")
    assert world.step("migrate").action is Action.UNCHANGED
    assert world.step("migrate", migrate="sha256:new").action is Action.RUN


@pytest.mark.parametrize(
    "ended",
    [
        {"state": "exited", "exit_code": 1},
        {"state": "dead"},
        {"state": "created"},
        {"state": "running"},
    ],
)
def test_a_one_shot_that_did_not_end_well_runs_again(ended: Spec) -> None:
    assert World(migrate=ONCE).runs("migrate", **ended).step("migrate").action is Action.RUN


def test_a_one_shot_that_ended_in_another_form_runs() -> None:
    world = World(migrate=ONCE).runs("migrate", "migrate-r0", state="exited")
    assert world.step("migrate").action is Action.RUN


def test_a_service_that_is_in_the_file_no_more_is_removed() -> None:
    world = World(api=WEB).runs("api").fronted("api").runs("old", "old-r1").fronted("old", "old-r1")
    plan = world.plan()
    step = plan.steps["old"]
    assert (step.action, step.before, step.target) == (Action.REMOVED, "old-r1", None)
    assert plan.changes == ("old",)
    assert plan.strays == ()


def test_a_front_alone_is_removed_too() -> None:
    assert World(api=WEB).fronted("old", "old-r1").step("old").action is Action.REMOVED


@pytest.mark.parametrize("zero", [{"scale": 0}, {"deploy": {"replicas": 0}}])
def test_a_service_that_is_scaled_to_zero_is_removed(zero: Spec) -> None:
    world = World(db={**WRITER, **zero}).runs("db", "db-r1").fronted("db", "db-r1")
    assert "db" not in world.plan(whole=False).steps
    step = world.plan().steps["db"]
    assert (step.action, step.why) == (Action.REMOVED, "it is scaled to 0")
    assert (step.before, step.target) == ("db-r1", None)


def test_a_service_that_is_scaled_to_zero_and_does_not_run_is_nothing() -> None:
    assert World(api=WEB, db={**WRITER, "scale": 0}).plan().changes == ("api",)


def test_a_part_of_the_stack_removes_nothing() -> None:
    world = World(api=WEB).runs("old", "old-r1")
    assert list(world.plan(whole=False).steps) == ["api"]


def test_what_compose_made_of_a_service_that_is_no_more_is_left_alone() -> None:
    assert "old" not in World(api=WEB).plain("old").plan().steps


def test_services_that_are_not_deployed_are_left_alone() -> None:
    stack = parse_stack({"name": "shop", "services": {"api": WEB, "worker": WORKER}})
    part = desired(stack, {"worker": "sha256:w"}, {}, front_image="haproxy")
    running = sort([container("api", "api-r0", role=REPLICA)], {})
    assert list(make(stack, part, running, whole=True).steps) == ["worker"]


def test_what_is_left_over_from_a_deploy_that_ended_in_the_middle_is_a_stray() -> None:
    world = World(api=WEB).runs("api").fronted("api").runs("api", "api-r8", state="exited")
    stray = container("api", "api-r9", role=REPLICA)
    world.containers.append(stray)
    plan = world.plan()
    assert plan.strays == (stray,)
    assert plan.changes == ()


def test_what_runs_until_now_is_no_stray() -> None:
    world = World(api=WEB).runs("api", "api-r0").runs("api").fronted("api", "api-r0")
    assert world.plan().strays == ()


def test_what_is_left_over_is_a_stray_beside_what_changes_too() -> None:
    world = World(api=WEB).runs("api", "api-r0").fronted("api", "api-r0").runs("api", "api-r9", 2)
    assert [one.service for one in world.plan().strays] == ["api-r9", "api-r9"]


def test_what_is_removed_has_no_strays() -> None:
    world = World(api=WEB).runs("old", "old-r1").runs("old", "old-r2").fronted("old", "old-r1")
    assert world.plan().strays == ()


def test_of_several_sets_without_a_front_one_is_replaced() -> None:
    world = World(worker=WORKER).runs("worker").runs("worker", "worker-r0")
    plan = world.plan()
    step = plan.steps["worker"]
    assert (step.action, step.before) == (Action.STOP_FIRST, "worker-r0")
    assert plan.strays == ()


def test_of_several_old_sets_without_a_front_one_is_replaced_and_the_others_are_strays() -> None:
    world = World(worker=WORKER).runs("worker", "worker-r7", state="exited")
    world.runs("worker", "worker-r8").runs("worker", "worker-r9")
    plan = world.plan()
    assert plan.steps["worker"].action is Action.STOP_FIRST
    assert {plan.steps["worker"].before, *(one.service for one in plan.strays)} == {"worker-r8", "worker-r9"}
    assert len(plan.strays) == 1


def needs(spec: Spec, *names: str) -> Spec:
    return {**spec, "depends_on": {name: {"condition": "service_started"} for name in names}}


def test_batches_by_depends_on() -> None:
    world = World(
        web=needs(WEB, "api", "cache"),
        api=needs(WEB, "migrate"),
        migrate=needs(ONCE, "db"),
        db=WRITER,
        cache=WEB,
    )
    plan = world.plan()
    assert plan.batches == (("db", "cache"), ("migrate",), ("api",), ("web",))
    assert {name: set(wanted) for name, wanted in plan.needs.items()} == {
        "web": {"api", "cache", "migrate", "db"},
        "api": {"migrate", "db"},
        "migrate": {"db"},
        "db": set(),
        "cache": set(),
    }


def test_who_is_between_them_need_not_be_deployed_for_one_to_wait_for_another() -> None:
    services = {"web": needs(WEB, "api"), "api": needs(WEB, "db"), "db": WRITER, "cache": WEB}
    stack = parse_stack({"name": "shop", "services": services})
    part = desired(stack, {"web": "sha256:w", "db": "sha256:d", "cache": "sha256:c"}, {})
    plan = make(stack, part, {}, whole=False)
    assert plan.needs == {"web": ("db",), "db": (), "cache": ()}
    assert plan.batches == (("db", "cache"), ("web",))


@pytest.mark.parametrize(
    "shared",
    [
        {"network_mode": "service:vpn"},
        {"pid": "service:vpn"},
        {"ipc": "service:vpn"},
        {"volumes_from": ["vpn:ro"]},
    ],
)
def test_who_shares_something_of_a_service_waits_for_it(shared: Spec) -> None:
    plan = World(web=needs(WEB, "app"), app={**WORKER, **shared}, vpn=needs(WORKER, "db"), db=WRITER).plan()
    assert {name: set(wanted) for name, wanted in plan.needs.items()} == {
        "web": {"app", "vpn", "db"},
        "app": {"vpn", "db"},
        "vpn": {"db"},
        "db": set(),
    }
    assert plan.batches == (("db",), ("vpn",), ("app",), ("web",))


def test_a_need_that_the_file_does_not_have_is_no_need() -> None:
    assert World(api={**needs(WEB, "gone"), "volumes_from": ["lost"]}).plan().needs == {"api": ()}


def test_who_waits_for_a_service_that_is_not_deployed_does_not_wait() -> None:
    stack = parse_stack({"name": "shop", "services": {"api": needs(WEB, "db"), "db": WRITER}})
    part = desired(stack, {"api": "sha256:a"}, {}, front_image="haproxy")
    assert make(stack, part, {}, whole=False).batches == (("api",),)


def test_what_is_removed_waits_for_nothing() -> None:
    world = World(api=needs(WEB, "db"), db=WRITER).runs("old", "old-r1")
    assert world.plan().batches == (("db", "old"), ("api",))
    assert world.plan().needs["old"] == ()


def test_only_what_happens_is_a_change() -> None:
    world = World(api=WEB, db=WRITER, migrate=ONCE).runs("api").fronted("api")
    assert world.plan().changes == ("db", "migrate")


def test_a_service_without_a_health_check_costs_a_warning_when_it_is_replaced() -> None:
    bare = {"image": "x", "expose": ["80"]}
    (warning,) = World(api=bare).plan().warnings
    assert "api has no health check" in warning
    assert World(api=bare).runs("api").fronted("api").plan().warnings == ()


def test_a_health_check_of_the_image_is_one() -> None:
    spec = {"image": "x", "expose": ["80"]}
    stack = parse_stack({"name": "shop", "services": {"api": spec}}, checked={"api"})
    assert make(stack, desired(stack, {"api": "sha256:a"}, {}), {}, whole=True).warnings == ()


def test_links_are_left_out_and_cost_a_warning() -> None:
    (warning,) = World(api={**WEB, "links": ["db"]}).plan().warnings
    assert "api: 'links' are left out" in warning


def test_a_one_shot_and_what_is_removed_cost_no_warning() -> None:
    assert World(migrate=ONCE).runs("old", "old-r1").plan().warnings == ()


def test_the_first_front_of_what_runs_costs_a_warning() -> None:
    (warning,) = World(api=WEB).plain("api").plan().warnings
    assert "api gets a front" in warning
    assert World(worker=WORKER).plain("worker").plan().warnings == ()


def test_a_front_that_has_lost_a_network_is_made_anew() -> None:
    step = World(api=WEB).runs("api").fronted("api", networks={}).step()
    assert step.new_front
    assert step.action is Action.START_FIRST
    assert step.why.startswith("its front has lost a network")


def test_a_replica_that_has_lost_a_network_is_made_anew() -> None:
    step = World(api=WEB).runs("api", networks={"other": ""}).fronted("api").step()
    assert [one.service for one in step.broken] == [step.before]
    assert not step.new_front
    assert "has lost a network" in step.why
    assert step.action is not Action.UNCHANGED


def test_more_networks_than_wanted_are_nobodys_concern() -> None:
    more = {"shop_default": "", "other": ""}
    assert World(api=WEB).runs("api", networks=more).fronted("api", networks=more).step().why == ""


@pytest.mark.parametrize(("replicas", "new"), [(1, False), (3, False), (4, False), (5, True)])
def test_a_front_stays_as_long_as_it_has_room(replicas: int, new: bool) -> None:
    step = World(api={**WEB, "scale": replicas}).runs("api", "api-r0").fronted("api", "api-r0").step()
    assert step.new_front is new
