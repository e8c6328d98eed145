"""The fingerprint of every target: gather what BuildKit would look at, from the definition down to each file.

What counts and why: docs/DOCKER_BUILD_GUIDE.md. The rule for everything in doubt: rather one input too many
(a build too many) than one too few (a stale image).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from homeport.build.affected import Touched
from homeport.build.facts import BuildFacts, dockerfile_path, is_remote, local_path
from homeport.build.links import IMAGE_SCHEME
from homeport.engine.credentials import proxies
from homeport.model import fingerprint as prints
from homeport.model.fingerprint import Fingerprint, Listing, digest_of
from homeport.model.ignore import PatternError
from homeport.model.reading import Reading, Source, platform_args, read
from homeport.model.reference import familiar, normalized, repository
from homeport.model.targets import TARGET_SCHEME, Target, attributes
from homeport.sources.context import Contexts, Reads, ignore_files
from homeport.sources.disk import SourceProblem

FRONTENDS = ("docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream")
"""The frontends whose language this is; another one may read anything."""

_READ_ELSEWHERE = {"context", "dockerfile", "dockerfile-inline", "args", "contexts", "target", "platforms"}
_HANDLED = _READ_ELSEWHERE | {"secret", "ssh", "output", "labels", "call"}
_WITHOUT_EFFECT = {"tags", "cache-from", "cache-to", "description", "name", "matrix", "inherits"}
"""Where a result goes and what it is called is looked after by other means than a build."""

_ALWAYS = ("pull", "no-cache", "no-cache-filter")
_OUTPUT_PLACES = {"type", "name", "push", "tar", "store", "unpack", "dangling-name-prefix", "name-canonical"}
_PROXY = re.compile(r'\["(HTTP|HTTPS|FTP|NO|ALL)_PROXY"', re.IGNORECASE)
"""A declared argument in a stage's canonical text: without its ARG it is in no key of BuildKit's either."""
_OFF = {"", "0", "f", "false"}
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


@dataclass(frozen=True)
class Base:
    """An image that a target builds on: its digest and ONBUILD instructions, or why it can't be known."""

    digest: str = ""
    triggers: tuple[str, ...] = ()
    unknown: str = ""
    down: bool = False
    """Whether the registry didn't answer at all."""


Resolver = Callable[[Iterable[tuple[str, tuple[str, ...]]]], Mapping[tuple[str, tuple[str, ...]], Base]]
"""From images, each with the platforms it is wanted for, to what they are now; all at the same time."""


@dataclass
class _Draft:
    """What is known of one target while its fingerprint is put together."""

    target: Target
    platforms: tuple[str, ...]
    inputs: dict[str, str] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    triggers: tuple[str, ...] = ()
    reads: list[Reads] = field(default_factory=list)
    dockerfile: str = ""

    def add(self, name: str, value: object) -> None:
        self.inputs[name] = digest_of(value)


class Fingerprints:
    """One look at everything; ``tagged`` are the dependencies by tag, of :func:`links.tag_dependencies`."""

    def __init__(
        self,
        facts: BuildFacts,
        cwd: Path,
        tagged: Mapping[str, Mapping[str, str]],
        resolve: Resolver,
        environment: Mapping[str, str],
    ) -> None:
        self._facts = facts
        self._cwd = cwd
        self._tagged = tagged
        self._resolve = resolve
        self._environment = environment
        self.contexts = Contexts()
        self._bases: dict[tuple[str, tuple[str, ...]], Base] = {}
        self._drafts: dict[str, _Draft] = {}
        self._done: dict[str, Fingerprint] = {}

    def of(self, names: Iterable[str]) -> dict[str, Fingerprint]:
        """The fingerprints of these targets and of all that they build on."""
        wanted = list(names)
        self._ask_for_images(wanted)
        for name in wanted:
            self._one(name, ())
        return dict(self._done)

    def reads(self, name: str, paths: Set[str]) -> bool:
        """Whether the target reads one of these files of this machine."""
        draft = self._drafts[name]
        return draft.dockerfile in paths or any(reads.has_any(paths) for reads in draft.reads)

    def touched(self, name: str) -> Touched:
        """What the target depends on as files; :meth:`of` has been asked for it before."""
        target, draft = self._facts.definition.targets[name], self._drafts[name]
        if is_remote(target.context) or name in self._facts.unreadable or name in self._facts.problems:
            return Touched(unknown=True)
        dockerfile = self._dockerfile(target)
        own = (dockerfile,) if dockerfile else ()
        files = (*own, *ignore_files(local_path(target.context, self._cwd), dockerfile))
        more = [ignore_files(Path(reads.folder), None)[0] for reads in draft.reads]
        contexts = [local_path(context, self._cwd) for context in (target.context, *target.contexts.values())]
        # buildx takes either name.
        other = [path.with_name(name) for path in own for name in ("Dockerfile", "dockerfile")]
        return Touched(
            tuple(draft.reads),
            _ways((*files, *more, *contexts, *other), self._cwd),
            # What couldn't be read completely may have been read wrongly.
            any("can't be read" in reason for reason in draft.unknown),
        )

    def images(self, names: Iterable[str]) -> tuple[str, ...]:
        """The images that these targets are built on and copy from, and that no target makes."""
        found: dict[str, None] = {}
        for name in names:
            target = self._facts.definition.targets[name]
            for reading in self._facts.readings.get(name, {}).values():
                named = (self._image(target, reference) for reference in reading.references)
                found |= dict.fromkeys(image for image in named if image and image != "scratch")
        return tuple(found)

    def _ask_for_images(self, names: Iterable[str]) -> None:
        wanted: dict[tuple[str, tuple[str, ...]], None] = {}
        for name in names:
            target = self._facts.definition.targets[name]
            wanted |= dict.fromkeys((image, self._platforms(target)) for image in self.images([name]))
            if frontend := self._frontend(target):
                wanted[frontend, ("frontend",)] = None
        missing = [key for key in wanted if key not in self._bases]
        if missing:
            self._bases |= self._resolve(missing)

    def _platforms(self, target: Target) -> tuple[str, ...]:
        return tuple(str(item) for item in target.spec.get("platforms") or ()) or (
            self._facts.engine.platform,
        )

    def _one(self, name: str, above: tuple[str, ...]) -> Fingerprint:
        """The target's fingerprint; ``above`` are the targets that are waiting for it."""
        if name in self._done:
            return self._done[name]
        if name in above:
            return Fingerprint("", {}, {}, ("its dependencies go in a circle",))
        target = self._facts.definition.targets[name]
        draft = _Draft(target, self._platforms(target))
        self._drafts[name] = draft
        self._add_definition(draft)
        try:
            if not draft.unknown:
                self._add_dockerfile(draft, (*above, name))
        except SourceProblem as problem:
            draft.unknown[f"{self.shown(problem.path)} can't be read: {problem.reason}"] = None
        except PatternError as error:
            draft.unknown[f"its ignore file can't be read: {error}"] = None
        found = prints.make(draft.inputs, draft.listings, draft.unknown)
        self._done[name] = found
        return found

    def _add_definition(self, draft: _Draft) -> None:
        """What the bake or Compose definition says, without what has no effect on the image."""
        target, spec = draft.target, draft.target.spec
        for key in _ALWAYS:
            if spec.get(key):
                draft.unknown[f"the definition says {key}"] = None
        if spec.get("call") not in {None, "", "build"}:
            draft.unknown["the definition asks for no image"] = None
        if is_remote(target.context):
            draft.unknown["its context is fetched from elsewhere"] = None
        elif target.name in self._facts.problems or not local_path(target.context, self._cwd).is_dir():
            draft.unknown["its context is no folder here"] = None
        for key, value in spec.items():
            if key not in _HANDLED and key not in _WITHOUT_EFFECT and value:
                draft.add(f"option {key}", value)
        for name, value in (spec.get("labels") or {}).items():
            draft.add(f"label {name}", value)
        for key in ("secret", "ssh"):
            if ids := sorted(_id_of(item) for item in spec.get(key) or ()):
                draft.add(f"option {key}", ids)
        draft.add("platform", draft.platforms)
        for output in target.outputs:
            if output.get("type") not in {"image", "docker", "registry", "cacheonly"} or "dest" in output:
                draft.unknown[f"its result is written as {output.get('type')}"] = None
            elif output.get("type") == "registry" or output.get("push") == "true":
                draft.unknown["its own output pushes it"] = None
            elif output.get("name"):
                draft.unknown["its own output names it"] = None
        settings = [
            {key: value for key, value in output.items() if key not in _OUTPUT_PLACES}
            for output in target.outputs
        ]
        if any(settings):
            draft.add("option output", settings)
        inline = [
            item for item in map(attributes, spec.get("cache-to") or ()) if item.get("type") == "inline"
        ]
        if inline:
            # The only cache that is written into the image itself.
            draft.add("option cache-to", inline)
        if epoch := self._environment.get("SOURCE_DATE_EPOCH"):
            draft.add("environment SOURCE_DATE_EPOCH", epoch)
        if self._environment.get("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"):
            draft.unknown["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY may put other sources in place"] = None
        if self._environment.get("BUILDX_GIT_LABELS", "").lower() not in _OFF:
            # Labels of the commit, which buildx adds by itself (docker/buildx build/git.go).
            draft.unknown["BUILDX_GIT_LABELS labels it with the commit"] = None

    def _add_dockerfile(self, draft: _Draft, above: tuple[str, ...]) -> None:
        """The needed stages, and all that they read."""
        target = draft.target
        if problem := self._facts.unreadable.get(target.name):
            draft.unknown[problem] = None
            return
        if path := self._dockerfile(target):
            # It was read before; what happens to it from now on, until it is read again, is noticed.
            draft.dockerfile = str(path)
            self.contexts.disk.note(draft.dockerfile)
        if frontend := self._frontend(target):
            if repository(normalized(frontend)) not in FRONTENDS:
                draft.unknown[f"its frontend {frontend} may read anything"] = None
                return
            self._add_base(draft, f"frontend {frontend}", frontend, ("frontend",))
        sources: dict[Source, None] = {}
        for platform, first in self._facts.readings[target.name].items():
            reading = self._with_triggers(draft, platform, first, above)
            prefix = f"{platform}: " if len(draft.platforms) > 1 else ""
            for stage, text in reading.stages.items():
                draft.add(f"{prefix}{stage}", text)
            for name, value in reading.args.items():
                draft.add(f"{prefix}argument {name}", value)
            if any(_PROXY.search(text) for text in reading.stages.values()) and (found := proxies()):
                draft.add("proxies of docker's configuration", found)
            draft.unknown |= dict.fromkeys(reading.unknown)
            for reference in reading.references:
                self._add_reference(draft, reference, above)
            sources |= dict.fromkeys(reading.sources)
            draft.triggers = reading.triggers
        self._add_files(draft, tuple(sources))

    def _with_triggers(self, draft: _Draft, platform: str, first: Reading, above: tuple[str, ...]) -> Reading:
        """Read again with what the bases make whatever builds on them run (ONBUILD), if they do."""
        target, reading = draft.target, first
        known: dict[str, tuple[str, ...]] = {}
        while True:
            # What runs may need another stage of the file, whose base has such instructions, too.
            found = {
                base: triggers for base in reading.bases if (triggers := self._triggers(draft, base, above))
            }
            if found == known:
                return reading
            known = found
            reading = read(
                self._facts.dockerfiles[target.name],
                args=target.args,
                platform=platform_args(platform, self._facts.engine.platform),
                stage=target.stage,
                contexts=tuple(target.contexts),
                triggers=known,
            )

    def _triggers(self, draft: _Draft, base: str, above: tuple[str, ...]) -> tuple[str, ...]:
        if maker := self._maker(draft.target, base):
            self._one(maker, above)
            return self._drafts[maker].triggers
        image = self._image(draft.target, base)
        return self._base(image, draft.platforms).triggers if image else ()

    def _context(self, target: Target, reference: str) -> str | None:
        """What the definition puts in place of an image or a stage, if it does."""
        wanted = familiar(reference)
        for name, value in target.contexts.items():
            if name.partition("::")[0] == wanted:
                return value
        return None

    def _maker(self, target: Target, reference: str) -> str:
        """The target that makes what is named; empty for anything else."""
        context = self._context(target, reference)
        if context is None:
            return self._tagged[target.name].get(reference, "")
        if context.startswith(IMAGE_SCHEME):
            return self._tagged[target.name].get(context.removeprefix(IMAGE_SCHEME), "")
        return context.removeprefix(TARGET_SCHEME) if context.startswith(TARGET_SCHEME) else ""

    def _image(self, target: Target, reference: str) -> str:
        """The image that is named, and that no target makes; empty for anything else."""
        if self._maker(target, reference):
            return ""
        context = self._context(target, reference)
        if context is None:
            return reference
        return context.removeprefix(IMAGE_SCHEME) if context.startswith(IMAGE_SCHEME) else ""

    def _add_reference(self, draft: _Draft, reference: str, above: tuple[str, ...]) -> None:
        target = draft.target
        if maker := self._maker(target, reference):
            found = self._one(maker, above)
            draft.inputs[f"target {maker}"] = found.digest
            # Which name leads to it counts, too: two of them could change places.
            draft.add(f"link {reference}", maker)
            if found.unknown:
                draft.unknown[f"it builds on {maker}: {found.unknown[0]}"] = None
            return
        if image := self._image(target, reference):
            if image != "scratch":
                self._add_base(draft, f"image {image}", image, draft.platforms)
            if image != reference:
                draft.add(f"link {reference}", image)
            return
        context = self._context(target, reference) or ""
        if is_remote(context) or "://" in context.removeprefix("cwd://"):
            pinned = _DIGEST.search(context) if context.startswith("oci-layout://") else None
            if pinned is None:
                draft.unknown[f"its context '{reference}' is fetched from elsewhere"] = None
            else:
                draft.add(f"context {reference}", pinned[1])

    def _add_base(self, draft: _Draft, name: str, image: str, platforms: tuple[str, ...]) -> None:
        base = self._base(image, platforms)
        if base.unknown:
            draft.unknown[f"{name} can't be looked up: {base.unknown}"] = None
        draft.add(name, base.digest)

    def _base(self, image: str, platforms: tuple[str, ...]) -> Base:
        if (image, platforms) not in self._bases:  # named only by an ONBUILD instruction
            self._bases |= self._resolve([(image, platforms)])
        return self._bases[image, platforms]

    def _frontend(self, target: Target) -> str:
        file = self._facts.dockerfiles.get(target.name)
        return target.args.get("BUILDKIT_SYNTAX") or (file.syntax if file else "")

    def _add_files(self, draft: _Draft, sources: tuple[Source, ...]) -> None:
        """The files of the context and of named local contexts that the needed stages read."""
        target = draft.target
        for of in dict.fromkeys(source.of for source in sources):
            context = self._context(target, of) if of else target.context
            if context is None or self._maker(target, of) or (of and self._image(target, of)):
                continue
            if of and (is_remote(context) or "://" in context.removeprefix("cwd://")):
                continue
            folder = local_path(context, self._cwd)
            if of and not folder.is_dir():
                draft.unknown[f"its context '{of}' is no folder here"] = None
                continue
            reads = self.contexts.read(
                folder,
                None if of else self._dockerfile(target),
                tuple(source for source in sources if source.of == of),
            )
            draft.listings[of] = reads.listing
            draft.reads.append(reads)

    def _dockerfile(self, target: Target) -> Path | None:
        return None if target.inline_dockerfile is not None else dockerfile_path(target, self._cwd)

    def shown(self, path: str) -> str:
        """A path as people know it: from the working directory, if it lies there."""
        try:
            return Path(path).relative_to(os.path.realpath(self._cwd)).as_posix()
        except ValueError:
            return path


def _ways(paths: Iterable[Path], cwd: Path) -> tuple[str, ...]:
    """By which names of this machine a change of these paths shows: their own, where they lead to, and each
    folder on the way that is a link."""
    found: dict[str, None] = {}
    for path in paths:
        whole = Path(os.path.abspath(cwd / path))  # noqa: PTH100 - links are not to be followed here
        found[str(whole)] = found[os.path.realpath(whole)] = None
        found[os.path.realpath(whole.parent) + os.sep + whole.name] = None
        for folder in whole.parents:
            if folder.is_symlink():
                found[str(folder)] = None
                found[os.path.realpath(folder.parent) + os.sep + folder.name] = None
    return tuple(found)


def _id_of(item: object) -> str:
    if isinstance(item, Mapping):
        return str(item.get("id", ""))
    parts = dict(part.partition("=")[::2] for part in str(item).split(","))
    return parts.get("id", str(item).partition("=")[0])
