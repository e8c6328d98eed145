"""What is kept of releases: going back far, to services that are gone, and what the policy lets go."""

from __future__ import annotations

from typing import Any

from engine_fixtures import docker
from live_stack import LiveStack, MakeStack

BESIDE: dict[str, Any] = {
    "expose": ["8000"],
    "environment": {"VERSION": "1"},
    "healthcheck": {"test": ["CMD", "true"], "interval": "30s"},
}


def kept_names(stack: LiveStack) -> set[str]:
    repository = stack.image.partition(":")[0]
    listed = docker("image", "ls", "--format", "{{.Tag}}", repository)
    return {tag for tag in listed.split() if tag.startswith("homeport-")}


def numbers(stack: LiveStack) -> list[int]:
    return [one["number"] for one in stack.homeport("releases").document["releases"]]


def test_old_releases_go_with_their_containers_but_not_a_pinned_one(stack: MakeStack) -> None:
    made = stack({"healthcheck": {"test": ["CMD", "true"]}})
    (made.folder / "homeport.toml").write_text("[deploy]\nkeep = 2\n", encoding="utf-8")
    for version in ("1", "2", "3"):
        made.change("app", VERSION=version)
        made.homeport("deploy", "--zero-downtime")
        if version == "1":
            made.homeport("releases", "--pin", "r1")
    assert numbers(made) == [3, 2, 1]
    made.change("app", VERSION="4")
    made.homeport("deploy")
    assert numbers(made) == [4, 3, 1]
    replicas = [name for name in made.containers() if ".front" not in name]
    assert len(replicas) == 3
    gone = made.homeport("rollback", "--to", "r2", code=2)
    assert "There is no release 'r2'" in gone.said
    assert made.homeport("rollback", "--to", "r1").document["release"]["of"] == 1
    assert kept_names(made)
    made.homeport("releases", "--unpin", "r1")
    assert "pinned" not in made.homeport("releases").said


def test_a_rollback_brings_back_a_service_that_the_file_has_no_more(stack: MakeStack) -> None:
    made = stack(beside=BESIDE)
    made.homeport("deploy", "--zero-downtime")
    beside = made.compose["services"].pop("beside")
    made.write()
    plan = made.homeport("deploy", "--dry-run")
    assert plan.actions == {"app": "unchanged", "beside": "removed"}
    made.homeport("deploy")
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}
    running = {name for name, state in made.containers().items() if state == "running"}
    assert not any("beside" in name for name in running)
    assert made.homeport("status").code == 0

    back = made.homeport("rollback")
    assert back.document["release"]["of"] == 1
    reached = docker(
        "run", "--rm", f"--network={made.name}_default", "--entrypoint=python3", made.image, "-c",
        "import urllib.request as r; print(r.urlopen('http://beside:8000/').status)",
    )  # fmt: skip
    assert reached.strip() == "200"
    made.compose["services"]["beside"] = beside
    made.write()
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged", "beside": "unchanged"}


def test_no_way_back_past_an_irreversible_release_without_force(stack: MakeStack) -> None:
    made = stack({"healthcheck": {"test": ["CMD", "true"]}})
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    made.homeport("deploy", "--irreversible", "--message", "drops a column")
    assert "irreversible" in made.homeport("releases").said
    refused = made.homeport("rollback", code=2)
    assert "marked as irreversible" in refused.said
    assert "drops a column" in refused.said
    assert made.homeport("rollback", "--force").document["release"]["of"] == 1


def test_a_release_whose_containers_are_gone_says_which_and_what_to_do(stack: MakeStack) -> None:
    made = stack({"healthcheck": {"test": ["CMD", "true"]}})
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    made.homeport("deploy")
    old = [name for name, state in made.containers().items() if state == "exited"]
    docker("rm", *old)
    refused = made.homeport("rollback", code=2)
    assert "the containers of 1 of its services are gone" in refused.said
    assert "app (app-r" in refused.said
    assert made.homeport("status").code == 0


def test_an_image_whose_name_was_taken_away_still_runs_again(stack: MakeStack) -> None:
    made = stack({"healthcheck": {"test": ["CMD", "true"]}})
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    made.homeport("deploy")
    for tag in kept_names(made):
        docker("image", "rm", f"{made.image.partition(':')[0]}:{tag}")
    assert made.homeport("rollback").document["release"]["of"] == 1
