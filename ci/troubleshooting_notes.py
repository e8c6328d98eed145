"""What docs/TROUBLESHOOTING.md says beside the code's own words, by hand: by the message, as the page has it.

A note is needed where an error has no next step of its own, and useful where a sentence more helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """``next`` is the step for an error whose code has none; ``more`` is said after the code's own words."""

    next: str = ""
    more: str = ""


_COMPOSE = "Correct the file there; `docker compose config` must read it, too."
_SETTING = "Correct it there; docs/homeport.example.toml has every setting with its default."
_X_HOMEPORT = "Correct it in the Compose file; docs/DEPLOYMENT_GUIDE.md lists what `x-homeport` may have."
_FRONT = (
    "Deploy again: fronts that are gone are made anew. `docker logs` of the container `SERVICE.front-...` "
    "says why it ended."
)
_ENGINE = (
    "The engine's own words stand above the error. `homeport doctor` looks at the engine; then try again."
)
_LAST_WORDS = "The scanner's last lines stand above the error. `homeport doctor` says which scanner is found."
_BACK = (
    "Read the words before this sentence: they are an entry of their own here. Correct that and deploy again."
)
_PATH = "Choose another place, or make it writable."

NOTES: Mapping[str, Note] = {
    # -- every command
    "… takes a whole number of 0 or more, not '…'.": Note("Give a number without a sign or a unit."),
    "…: '…' has a character that no program can be given.": Note(_SETTING),
    "…: '…' must be a list of texts, not '…'.": Note(_SETTING),
    "…: '…' must be a number of 0 or more, not '…'.": Note(_SETTING),
    "…: '…' must be a table, […].": Note(_SETTING),
    "…: '…' must be a whole number of 0 or more, not '…'.": Note(_SETTING),
    "…: '…' must be text, not '…'.": Note(_SETTING),
    "…: '…' must be true or false, not '…'.": Note(_SETTING),
    "pyproject.toml: 'tool.homeport' must be a table, [tool.homeport].": Note(_SETTING),
    "…: 'until' is a date such as 2027-03-31, not '…'.": Note("Write year, month and day, in quotes."),
    "…: there is no setting '…'.": Note(
        more="Settings are written with hyphens: `main-branch`, not `main_branch`."
    ),
    "The folder … can't be made: ….": Note(_PATH),
    "The Docker engine doesn't answer.": Note(
        more="With DOCKER_HOST or a context it is the engine that they name which doesn't answer."
    ),
    # -- Compose files
    "…: an 'include' names no file.": Note(_COMPOSE),
    "…: 'include' must be a list.": Note(_COMPOSE),
    "…: 'services' must be a mapping.": Note(_COMPOSE),
    "…: its parts are nested too deeply.": Note(_COMPOSE),
    "…: service '…' extends '…', which … hasn't.": Note(_COMPOSE),
    "…: service '…' extends itself.": Note(_COMPOSE),
    "… has no mapping at its top: that is no Compose file.": Note("Name the Compose file with --file."),
    "… has … MB: that is no Compose file.": Note("Name the Compose file with --file."),
    "Compose files include each other in a circle: ….": Note("Take one of these `include` out."),
    "Compose can't read the project.": Note(
        more="Often a variable has no value or `.env` is missing: Compose reads the one beside the file."
    ),
    "Service '…' shares something of '…', which is scaled to 0.": Note(
        "Give that service a replica, or don't share its network, processes or volumes."
    ),
    "Service '…': x-homeport mode is 'http' or 'tcp', not '…'.": Note(_X_HOMEPORT),
    "Service '…': x-homeport must be a mapping.": Note(_X_HOMEPORT),
    "Service '…': x-homeport ports is a list of port numbers, not '…'.": Note(_X_HOMEPORT),
    # -- the engine
    "A front doesn't take commands.": Note(_FRONT),
    "Compose can't start ….": Note(
        "Compose's own words stand above the error. Correct that and deploy again."
    ),
    "Containers can't be removed.": Note(_ENGINE),
    "Not all of … could be removed.": Note("What is left stands above the error. Run the command again."),
    "The engine doesn't list what it has.": Note(_ENGINE),
    "The engine keeps no notes.": Note(_ENGINE, "Releases and the lock are volumes with labels."),
    # -- deploy
    "… An earlier deploy never ended: everything runs as in … again.": Note(_BACK),
    "… Everything runs as before.": Note(_BACK),
    "… doesn't pass its gate: ….": Note(
        more="Neither health check nor the front's connection succeeded in time (`gate` under [deploy])."
    ),
    "… failed and runs as before; the rest of the release runs.": Note(
        "Correct the service and deploy again; its last lines stand above the error."
    ),
    "Interrupted. An earlier deploy never ended: everything runs as in … again.": Note("Deploy again."),
    "Interrupted. Everything runs as before.": Note("Deploy again."),
    "Its containers of the last release are gone.": Note(
        "Somebody removed them, so there is nothing to go back to: correct the new release and deploy it."
    ),
    "Its front of the last release are gone.": Note(
        "Somebody removed it, so there is nothing to go back to: correct the new release and deploy it."
    ),
    "its front is no more in ….": Note("Somebody disconnected it: deploy again."),
    "Release … can't be written down.": Note("Rename or remove that volume; `docker volume ls` shows it."),
    "The front of … doesn't find the new replicas.": Note(
        "Deploy again; `homeport doctor` looks at the engine."
    ),
    "The front of … doesn't run any more.": Note(_FRONT),
    "The front of … is in no network any more.": Note(_FRONT),
    "The front of … refuses a command.": Note(_FRONT),
    "What ran before was started again, but doesn't pass its gate: ….": Note(
        "`homeport logs` says why; what it depends on may be gone. Then `homeport deploy`."
    ),
    "What ran in its last release doesn't pass its gate: ….": Note(
        "`homeport logs` says why; what it depends on may be gone. Then `homeport deploy`."
    ),
    # -- test
    "--changed-since needs the build, to know which targets a change can affect.": Note(
        "Leave out --no-build."
    ),
    "[test.probes.…]: there is no port ….": Note("Ports are numbers from 1 to 65535, the container's."),
    "[test] 'start' and 'limit' are seconds, and more than 0.": Note(_SETTING),
    "[test] integration: there is no '…' in ….": Note("Correct the path, or leave the setting out."),
    "The stack doesn't start.": Note(
        "The logs of its services stand above the error. Correct that, and test again."
    ),
    # -- scan
    "The scan was stopped.": Note("Run it again."),
    "There is no trivy on PATH, and its official image can't be run.": Note(
        "Install trivy (https://trivy.dev), or use --scanner grype."
    ),
    "trivy can't bring its database up to date.": Note(
        "See docs/SCANNING.md about machines without network: the database can be brought there."
    ),
    # -- resources
    "The engine has other limits than the files say.": Note(
        "The differences stand above the error: correct those limits, or see whether the host can hold them."
    ),
    # -- ci.generate
    "…: '…' can't stand in a workflow.": Note(_SETTING),
    "[ci] … must be 1 or more.": Note(_SETTING),
}
