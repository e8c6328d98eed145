"""Build contexts: what is sent to the builder and should not be, and the ignore file that would stop it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from homeport.audit.finding import CONTEXT_HEAVY, CONTEXT_NO_IGNORE, CONTEXT_SECRET
from homeport.audit.generated import GIT, Generated, Kind, mentions, versioned
from homeport.audit.ignoring import FileChange, Group, Member, Named, Place, change
from homeport.audit.secretfiles import BY_TOOLS
from homeport.audit.transfer import Build, Offender, Transfers, demand, reaches, taken_paths
from homeport.model.finding import Finding, Rule
from homeport.model.ignore import PatternError, read_patterns
from homeport.report.words import plural, size
from homeport.sources.context import Contexts, ignore_file
from homeport.sources.disk import SourceProblem
from homeport.sources.tracked import tracked

__all__ = ["Build", "FileChange", "Review", "Reviews", "Sent", "find", "review"]

_WORST = 5


@dataclass(frozen=True)
class Sent:
    """What one build is sent: bytes and files, the worst of what is in vain, and the bytes without that.

    ``unknown`` says why it can't be told what the Dockerfile takes; then it is the whole context, at most.
    """

    total_bytes: int
    files: int
    worst: tuple[tuple[str, int], ...]
    after_bytes: int
    unknown: str = ""


@dataclass(frozen=True)
class Review:
    """One ignore file (there or not): the builds for which it counts, and what was found."""

    ignore: Path
    sent: tuple[tuple[Build, Sent], ...]
    findings: tuple[Finding, ...]
    _group: Group = field(repr=False, compare=False)
    _named: Named = field(repr=False, compare=False)
    _wanted: Mapping[Finding, Mapping[Place, Offender | None]] = field(repr=False, compare=False)

    def change(self, findings: Collection[Finding]) -> FileChange | None:
        """The one edit for those of these findings that can be mended; None if there is nothing to do.

        It is proven: what is sent afterwards is what was sent before, without what the findings name.
        Raises SourceProblem.
        """
        own = tuple(one for one in self.findings if one in findings and one in self._wanted)
        wanted = {place: what for one in own for place, what in self._wanted[one].items()}
        found = change(self._group, wanted, self._named) if own else None
        return replace(found, mends=own) if found else None


@dataclass(frozen=True)
class Reviews:
    """All ignore files, and what couldn't be read."""

    reviews: tuple[Review, ...]
    problems: tuple[str, ...] = ()

    @property
    def findings(self) -> list[Finding]:
        return [one for each in self.reviews for one in each.findings]


def find(builds: Iterable[Build], root: Path) -> list[Finding]:
    """All findings of the contexts of these builds; ``root`` is the repository."""
    return review(builds, root).findings


def review(builds: Iterable[Build], root: Path, dockerfiles: Mapping[Path, str] | None = None) -> Reviews:
    """Look at the contexts of these builds, each ignore file once. Raises nothing for what can't be read.

    ``dockerfiles`` are all that there are: what one of them takes by name is meant to be sent, though no
    build that is known here uses it, or that stage of it.
    """
    contexts, problems = Contexts(), []
    kept = tracked(root)
    transfers = Transfers(contexts, Generated(contexts.disk, kept))
    groups: dict[Path, list[Member]] = {}
    for build in dict.fromkeys(builds):
        try:
            if build.folder.is_dir() and (member := _member(build, contexts, transfers)):
                groups.setdefault(_place(build), []).append(member)
        except (OSError, SourceProblem, PatternError) as error:
            problems.append(f"The context of {build.shown} can't be read: {_reason(error)}.")
    reviews = []
    for path, members in groups.items():
        try:
            reviews.append(_reviewed(path, tuple(members), contexts, root, dockerfiles or {}))
        except (OSError, SourceProblem) as error:
            problems.append(f"{_shown(path, root)} can't be judged: {_reason(error)}.")
    return Reviews(tuple(reviews), tuple(problems))


def _reason(error: Exception) -> str:
    return str((isinstance(error, OSError) and error.strerror) or error)


def _place(build: Build) -> Path:
    """The ignore file that counts, through links, or the one to make."""
    return (ignore_file(build.folder, build.dockerfile) or build.folder / ".dockerignore").resolve()


def _member(build: Build, contexts: Contexts, transfers: Transfers) -> Member | None:
    asked = demand(build)
    if asked is None or not asked.sources:
        return None
    choice = contexts.choose(build.folder, build.dockerfile, asked.sources)
    return Member(build, asked, choice, transfers.of(choice))


def _taken(dockerfiles: Mapping[Path, str], members: Iterable[Member]) -> set[str]:
    """Components of the paths that Dockerfiles in or below these builds' folders take from a context."""
    folders = {member.build.folder.resolve() for member in members}
    found: set[str] = set()
    for path, text in dockerfiles.items():
        if folders & {path.parent, *path.parents}:
            for taken in taken_paths(text):
                found |= {part for part in taken.split("/") if part not in {"", ".", ".."}}
    return found


def _reviewed(
    path: Path, members: tuple[Member, ...], contexts: Contexts, root: Path, dockerfiles: Mapping[Path, str]
) -> Review:
    old = path.read_bytes() if path.is_file() else None
    needs = _Needs(members)
    group = Group(path, old, members, contexts, needs.any)
    named = Named(members, read_patterns(old or b""), _taken(dockerfiles, members))
    heavy = _heavy(group, named, needs)
    sure = {place: one for place, one in heavy.items() if not one.kind.asked}
    asked = {place: one for place, one in heavy.items() if one.kind.asked}
    safe, unsafe = _secrets(group, named)
    texts = _Texts(group, root)
    found: list[tuple[Finding, Mapping[Place, Offender | None]]] = []
    for words in (safe, unsafe):
        if words:
            mended = dict.fromkeys(words) if words is safe else {}
            found.append((texts.secrets(words, mendable=words is safe), mended))
    if any(one.bytes for one in sure.values()):
        found.append((texts.heavy(sure), sure))
    if asked:
        found.append((texts.asked(asked), {}))
    if old is None and (taker := next((one for one in members if _takes_all(one)), None)):
        found.append((texts.no_ignore(taker), {}))
    findings, wanted = [], {}
    certain = not any(member.demand.unknown for member in members)
    everything = {place: what for _, places in found for place, what in places.items()}
    for one, places in found:
        # Where a file is made for something else, that there is none is mended, too.
        tried = [places] if places else [{}, everything] if one.rule is CONTEXT_NO_IGNORE else []
        proven = certain and any(change(group, each, named) for each in tried)
        by_hand = "" if proven else texts.by_hand(one, places, certain=certain)
        final = replace(one, elsewhere=True) if proven else replace(one, fix=by_hand)
        findings.append(final)
        if proven:
            wanted[final] = places
    gone = {place for places in wanted.values() for place in places}
    sent = tuple((member.build, _sent(member, heavy, gone)) for member in members)
    return Review(path, sent, tuple(findings), group, named, wanted)


class _Needs:
    """Which builds may need what is of one kind."""

    def __init__(self, members: tuple[Member, ...]) -> None:
        self._members = members
        self._known: dict[tuple[str, str, str, str], bool] = {}
        self._versioned: dict[tuple[int, str], bool] = {}

    def by(self, member: Member, kind: Kind) -> bool:
        text = member.demand.instructions
        key = (kind.name, kind.used, kind.made, text)
        if key not in self._known:
            self._known[key] = kind.needed(text)
        return self._known[key] or (kind.name == GIT.name and self._versions(member))

    def any(self, kind: Kind) -> bool:
        if kind.name == GIT.name:
            kind = GIT
        return any(self.by(member, kind) for member in self._members)

    def _versions(self, member: Member) -> bool:
        text = member.demand.instructions
        key = (id(member.transfer), text)
        if key not in self._versioned:
            self._versioned[key] = versioned(member.transfer.projects, text)
        return self._versioned[key]


def _heavy(group: Group, named: Named, needs: _Needs) -> dict[Place, Offender]:
    """What is sent in vain: nobody names it, and no build that gets it may need it. The largest first."""
    found: dict[Place, Offender] = {}
    needed: set[Place] = set()
    for member in group.members:
        for path, one in member.transfer.offenders.items():
            place = (member.choice.folder, path)
            if place in needed:
                continue
            meant = one.kind.asked and mentions(member.demand.instructions, path.rpartition("/")[2])
            if meant or needs.by(member, one.kind) or (place not in found and named.has(path)):
                needed.add(place)
            elif place not in found or found[place].bytes < one.bytes:
                found[place] = one
    left = [(place, one) for place, one in found.items() if place not in needed]
    return dict(sorted(left, key=lambda item: (-item[1].bytes, item[0])))


def _secrets(group: Group, named: Named) -> tuple[dict[Place, str], dict[Place, str]]:
    """Secrets that get into a stage: those that can be left out, and those that something calls by name."""
    safe: dict[Place, str] = {}
    unsafe: dict[Place, str] = {}
    for member in group.members:
        for path, words in member.transfer.secrets.items():
            place, name = (member.choice.folder, path), path.rpartition("/")[2]
            if not any(reaches(each, group.contexts, member.build, path) for each in member.demand.copied):
                continue
            getting = (each for each in group.members if path in each.transfer.sizes)
            called = (
                name in BY_TOOLS
                or named.has(path)
                or any(mentions(each.demand.instructions, name) for each in getting)
            )
            (unsafe if called else safe)[place] = words
    return safe, unsafe


def _takes_all(member: Member) -> bool:
    """Whether an instruction takes the whole context, as far as that can be told."""
    if member.demand.unknown:
        return False
    wholes = {"", ".", "*"}
    return any(
        "/".join(part for part in source.path.split("/") if part not in {"", "."}) in wholes
        for copied in member.demand.copied
        for source in copied.sources
    )


def _sent(member: Member, heavy: Mapping[Place, Offender], gone: Collection[Place]) -> Sent:
    transfer = member.transfer
    own = [path for folder, path in heavy if folder == member.choice.folder and path in transfer.offenders]
    worst = sorted(((path, transfer.offenders[path].bytes) for path in own), key=lambda item: -item[1])
    own_gone = [path for folder, path in gone if folder == member.choice.folder]
    less = sum(
        transfer.offenders[path].bytes if path in transfer.offenders else transfer.sizes.get(path, 0)
        for path in own_gone
    )
    return Sent(
        transfer.bytes, transfer.files, tuple(worst[:_WORST]), transfer.bytes - less, member.demand.unknown
    )


class _Texts:
    """Findings in words."""

    def __init__(self, group: Group, root: Path) -> None:
        self._group = group
        self._ignore = _shown(group.path, root)

    def heavy(self, heavy: Mapping[Place, Offender]) -> Finding:
        member = self._most(heavy)
        own = self._own(member, heavy)
        total = member.transfer.bytes
        less = sum(one.bytes for one in own)
        most = "at most " if member.demand.unknown else ""
        what = (
            f"{size(less)} of {most}{size(total)} that are sent are in vain: {_listed(own)}; "
            f"{size(total - less)} without{self._others(heavy)}"
        )
        return self._finding(CONTEXT_HEAVY, member, what, f"Leave them out in {self._ignore}.")

    def asked(self, heavy: Mapping[Place, Offender]) -> Finding:
        member = self._most(heavy)
        own = self._own(member, heavy)
        what = f"{_listed(own)} of {size(member.transfer.bytes)} that are sent{self._others(heavy)}"
        fix = f"If no image needs it, leave it out in {self._ignore}; else COPY it by its name."
        return replace(self._finding(CONTEXT_HEAVY, member, what, fix), about=f"{self._ignore} archives")

    def secrets(self, words: Mapping[Place, str], *, mendable: bool) -> Finding:
        member = next(one for one in self._group.members if self._gets(one, words))
        named = [f"{path} ({what})" for (_, path), what in sorted(words.items())]
        more = f" and {len(named) - _WORST} more" if len(named) > _WORST else ""
        what = f"{', '.join(named[:_WORST])}{more} can be read in what is built{self._others(words)}"
        if mendable:
            fix = f"Leave it out in {self._ignore}. At run time: 'secrets' or 'env_file' of Compose."
            return self._finding(CONTEXT_SECRET, member, what, fix)
        fix = "Something asks for it by name: RUN --mount=type=secret, or 'secrets' of Compose at run time."
        return replace(self._finding(CONTEXT_SECRET, member, what, fix), about=f"{self._ignore} by name")

    def no_ignore(self, member: Member) -> Finding:
        others = sum(map(_takes_all, self._group.members)) - 1
        more = f" (and {plural(others, 'other build')} of this context)" if others else ""
        what = f"it copies its whole context, and no ignore file keeps anything out{more}"
        return self._finding(CONTEXT_NO_IGNORE, member, what, f"Make {self._ignore}.")

    def by_hand(self, finding: Finding, places: Mapping[Place, Offender | None], *, certain: bool) -> str:
        """What to do where no edit is offered."""
        if finding.rule is CONTEXT_NO_IGNORE or (certain and not places):
            return finding.fix
        reasons = {member.demand.unknown: None for member in self._group.members if member.demand.unknown}
        why = next(iter(reasons), "no line leaves out exactly that")
        return f"{finding.fix} By hand: {why}."

    def _finding(self, rule: Rule, member: Member, what: str, fix: str) -> Finding:
        return Finding(rule, member.build.shown, 0, what, fix, about=self._ignore)

    def _most(self, heavy: Mapping[Place, Offender]) -> Member:
        return max(self._group.members, key=lambda one: sum(each.bytes for each in self._own(one, heavy)))

    def _own(self, member: Member, heavy: Mapping[Place, Offender]) -> list[Offender]:
        found = [
            member.transfer.offenders[path]
            for folder, path in heavy
            if folder == member.choice.folder and path in member.transfer.offenders
        ]
        return sorted(found, key=lambda one: (-one.bytes, one.path))

    def _gets(self, member: Member, places: Iterable[Place]) -> bool:
        folder, sizes = member.choice.folder, member.transfer.sizes
        return any(each == folder and path in sizes for each, path in places)

    def _others(self, places: Collection[Place]) -> str:
        count = sum(self._gets(member, places) for member in self._group.members) - 1
        return f" (and {plural(count, 'other build')} with this ignore file)" if count else ""


def _listed(own: list[Offender]) -> str:
    named = [f"{one.path} ({size(one.bytes)})" for one in own[:_WORST]]
    rest = own[_WORST:]
    more = f" and {len(rest)} more ({size(sum(one.bytes for one in rest))})" if rest else ""
    return f"{', '.join(named)}{more}"


def _shown(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(path)
