"""The build that a command needs before its own work, with what it was about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from homeport.build import affected_stage, facts, flow
from homeport.build.options import BuildOptions
from homeport.engine import folders
from homeport.engine.git import Changes
from homeport.errors import DefinitionError
from homeport.model.config import BuildConfig

_NOTHING = "nothing to build"
"""What the error says where a repository has no targets: images that others build can be tested, too."""


class Building:
    """Builds before tests, as ``build --parallel`` does them."""

    def __init__(
        self,
        root: Path,
        config: BuildConfig,
        builder: str,
        *,
        keep_going: bool,
        cache_export: bool,
        aside: bool,
    ) -> None:
        self._root, self._config, self._builder, self._aside = root, config, builder, aside
        self._options = BuildOptions(
            parallel=True,
            jobs=config.jobs,
            registry=config.registry,
            keep_going=keep_going,
            retries=config.retries,
            main_branch=config.main_branch,
            cache_export=cache_export,
            allow=config.allow,
            load=True,
        )

    def run(
        self, targets: tuple[str, ...], changed_since: str
    ) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
        """Build: the exit code, the targets that it was about, and those of them that it failed to make."""
        code, document = self._run(targets, changed_since, dry_run=False)
        done = {str(one["name"]): str(one["status"]) for one in document.get("targets", ())}
        return code, tuple(done), tuple(name for name, how in done.items() if how not in {"built", "skipped"})

    def affected(self, targets: tuple[str, ...], changed_since: str) -> tuple[str, ...]:
        """The targets that changes since a commit can affect; nothing is built."""
        _, document = self._run(targets, changed_since, dry_run=True)
        return tuple(str(one["name"]) for one in document.get("decisions", ()))

    def affected_in(self, stage: str, targets: tuple[str, ...], changes: Changes) -> tuple[str, ...]:
        """The targets that changes can affect in a stage of this name; nothing is built."""
        try:
            found = facts.read(
                self._root,
                files=self._config.files,
                names=targets or self._config.targets,
                builder=self._builder or self._config.builder,
            )
        except DefinitionError as error:
            if targets or _NOTHING not in error.what:
                raise
            return ()
        definitions = facts.definition_files(self._root, self._config.files)
        return affected_stage.affected_in(stage, found, self._root, changes.paths, definitions)

    def _run(
        self, targets: tuple[str, ...], changed_since: str, *, dry_run: bool
    ) -> tuple[int, dict[str, Any]]:
        pending = facts.start(
            self._root,
            files=self._config.files,
            names=targets or self._config.targets,
            builder=self._builder or self._config.builder,
            registry_prefix=self._options.registry,
        )
        with folders.for_a_while("homeport-test-") as folder:
            out = folder / "build.json"
            request = flow.Request(
                self._root,
                self._options,
                files=self._config.files,
                dry_run=dry_run,
                changed_since=changed_since,
                json=str(out),
                aside=self._aside,
            )
            try:
                code = flow.run(request, pending)
            except DefinitionError as error:
                if targets or _NOTHING not in error.what:
                    raise
                return 0, {}
            return code, json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
