"""Which paths of a build context a ``.dockerignore`` file excludes, exactly as BuildKit decides it.

Rules: https://github.com/moby/patternmatcher (``ignorefile`` reads the file, ``patternmatcher`` matches a
path), https://github.com/tonistiigi/fsutil (``filter.go`` walks the tree) and, for what happens between the
two, https://github.com/moby/buildkit (``client/llb``). The documentation describes the intended language;
this is the real one, and where they differ the comments say so.

Paths are relative to the context, ``/`` between their names, without ``.`` and ``..``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

# What Go calls space; str.strip() would take the separators \x1c to \x1f as well.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_SPACE += "\u2028\u2029\u202f\u205f\u3000"
_BOM = "\ufeff"
_UNDECODABLE = re.compile("[\ud800-\udfff]")  # bytes of a name that are no UTF-8, by "surrogateescape"

# The syntax of Go's filepath.Match, where a class may not be empty and "-" stands only inside a range.
_MEMBER = r"(?:\\.|[^\\\-\]])"
_WELL_FORMED = re.compile(
    rf"(?: \\. | (?:\[\^|\[(?!\^)) (?:{_MEMBER}(?:-{_MEMBER})?)+ \] | [^\\\[] )*", re.VERBOSE | re.DOTALL
)
_GLOB = re.compile(r"\*\*/?|\\.|.", re.DOTALL)
_SPECIAL = frozenset("*?[]\\")

# The tokens of a regular expression in Go's syntax, as far as a pattern can bring them about.
_TOKEN = re.compile(r"\[(\^|(?!\^))((?:\\.|[^\\])(?:\\.|[^\]\\])*)\]|(\{\d+(?:,\d*)?\}|\\.|.)", re.DOTALL)
_ITEM = re.compile(r"(\\.|.)(?:-(\\.|.))?", re.DOTALL)
_SETS = {rf"\{name}": rf"\{name}" for name in "dDwW"} | {r"\s": r"\t\n\f\r ", r"\S": r"\S\v"}


class PatternError(ValueError):
    """A pattern that BuildKit refuses, or one of the few that only this module does (``_python_regexp``)."""


class Match(NamedTuple):
    """What is known of one path: whether it is excluded, and what its children inherit."""

    excluded: bool
    hits: int
    """The patterns found to match the path or a directory above it, one bit for each."""


class _Rule(NamedTuple):
    bit: int
    exception: bool
    matches: Callable[[str], object]


def read_patterns(text: str | bytes) -> tuple[str, ...]:
    """The patterns of an ignore file, in order, as they reach the matcher (``ignorefile.ReadAll``).

    Text that was read from a file should have been decoded with ``errors="surrogateescape"``.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="surrogateescape")
    # The frontend hands the patterns on as JSON, which has no place for bytes that are no UTF-8.
    text = _UNDECODABLE.sub("\ufffd", text).removeprefix(_BOM)
    patterns = []
    for line in text.split("\n"):
        pattern = line.strip(_SPACE)
        # A comment starts in the first column; elsewhere "#" is part of a name.
        if not pattern or line.startswith("#"):
            continue
        exception, pattern = pattern[0] == "!", pattern.removeprefix("!").strip(_SPACE)
        if pattern:
            pattern = _cleaned(pattern)
            pattern = pattern.removeprefix("/") or pattern
        patterns.append(f"!{pattern}" if exception else pattern)
    return tuple(patterns)


class Ignore:
    """The patterns of one ignore file, compiled. It never changes, and can be shared between threads.

    To walk a tree, start with ``root()``, give every entry of a directory to ``step`` along with the
    directory's own result, and go into a directory if ``may_reinclude_below`` says so. An entry is part of
    the context if it is not excluded; an excluded directory is part of it if something below it is.
    """

    __slots__ = ("_below", "_rules", "patterns")

    patterns: tuple[str, ...]
    """The patterns as they are applied: trimmed, cleaned, without empty ones."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile ``patterns`` (of ``read_patterns``); raises PatternError for the first one that is wrong.

        BuildKit finds some errors only when a path is compared with the pattern; here all are found at once.
        """
        trimmed = (pattern.strip(_SPACE) for pattern in patterns)
        self.patterns = tuple(_cleaned(pattern) for pattern in trimmed if pattern)
        if "!" in self.patterns:
            raise PatternError('illegal exclusion pattern: "!"')
        texts = [pattern.removeprefix("!") for pattern in self.patterns]
        exceptions = [pattern.startswith("!") for pattern in self.patterns]
        self._rules = tuple(
            _Rule(1 << index, exception, _matcher(text))
            for index, (text, exception) in enumerate(zip(texts, exceptions, strict=True))
        )
        self._below = _reincluded([text for text, yes in zip(texts, exceptions, strict=True) if yes])

    def root(self) -> Match:
        """The result for the context's root, which no pattern can exclude."""
        return Match(False, 0)

    def step(self, parent: Match, path: str) -> Match:
        """The result for ``path`` from that of the directory it is in (``MatchesUsingParentResults``)."""
        hits, excluded = parent.hits, False
        for bit, exception, matches in self._rules:
            # A pattern that could not change anything is not tried, hence children do not inherit its match:
            # "**/*.pyc" and "!dir" exclude dir/x.pyc, as "!dir" is not tried on a directory that is kept.
            if hits & bit:
                excluded = not exception
            elif exception == excluded and matches(path):
                hits |= bit
                excluded = not exception
        return parent if (excluded, hits) == parent else Match(excluded, hits)

    def may_reinclude_below(self, match: Match, path: str) -> bool:
        """Whether a walk goes into the directory ``path`` whose result is ``match`` (``filterFS.Walk``).

        Always if the directory is kept. If it is excluded, what an exception seems to ask for decides, and
        that is not always what it matches: "dir" and "!dir/*/**" bring nothing back.
        """
        if not match.excluded or self._below is None:
            return True
        inside = f"{path}/"
        return any(below.startswith(inside) for below in self._below)

    def excludes(self, path: str) -> bool:
        """Whether a walk leaves ``path`` out, be it for its own name or for a directory above it.

        ``MatchesOrParentMatches`` of patternmatcher is meant to say the same. Where an order of patterns
        makes the two differ, BuildKit's walk decides what is in the context, so this follows the walk; a file
        that only the walk keeps even arrives without its content.
        """
        match, end = self.root(), path.find("/")
        while end >= 0:
            match = self.step(match, path[:end])
            if not self.may_reinclude_below(match, path[:end]):
                return True
            end = path.find("/", end + 1)
        return path != "." and self.step(match, path).excluded


def _cleaned(pattern: str) -> str:
    """Go's ``filepath.Clean``: as POSIX does it, but two slashes at the start mean nothing special."""
    return re.sub("^//", "/", posixpath.normpath(pattern))


def _reincluded(exceptions: list[str]) -> tuple[str, ...] | None:
    """The directories, each with a slash, that exceptions name; None if a wildcard means it could be any."""
    found = [text.removesuffix("/**").removesuffix("/*") for text in exceptions]
    return None if any(set("*[]?^\\") & set(text) for text in found) else tuple(f"{text}/" for text in found)


def _matcher(pattern: str) -> Callable[[str], object]:
    """The test whether a path by itself matches ``pattern``; most patterns need no regular expression."""
    if not _WELL_FORMED.fullmatch(pattern):
        raise PatternError(f"syntax error in pattern: {pattern!r}")
    if not _SPECIAL & set(pattern):
        return pattern.__eq__
    scanned = pattern.removeprefix(_BOM)  # Go's text scanner drops it, in whatever line it is
    if scanned.startswith("**") and not _SPECIAL & set(scanned[2:]):
        tail = pattern[2:]
        name = tail.removeprefix("/")
        return lambda path: path.endswith(tail) or path == name
    if pattern.endswith("**") and not _SPECIAL & set(pattern[:-2]):
        head = pattern[:-2]
        return lambda path: path.startswith(head)
    source = _go_regexp(_UNDECODABLE.sub("\ufffd", scanned))
    try:
        compiled = re.compile(_python_regexp(source), re.ASCII)
    except re.error as error:
        raise PatternError(f"syntax error in pattern: {pattern!r} ({error.msg})") from None
    # Only an unescaped "|" frees a part of the expression from the "^" that all of them start with.
    search = compiled.search if "|" in source else compiled.match
    if source.isascii():
        return search
    # To Go's regexp a byte that is no UTF-8 is U+FFFD, and only here could one tell the difference.
    return lambda path: search(_UNDECODABLE.sub("\ufffd", path))


def _go_regexp(pattern: str) -> str:
    """The regular expression that moby makes of a pattern, in Go's syntax (``Pattern.compile``).

    It is put together from text, which lets Go's syntax shine through: wildcards are replaced inside of
    brackets, too, and ``|``, ``{2}``, ``^`` and ``\\d`` keep what they mean to Go.
    """
    parts = ["^"]
    for token in _GLOB.finditer(pattern):
        text = token[0]
        if text.startswith("**"):
            parts.append("(.*/)?" if token.end() < len(pattern) else ".*")
        elif text in {"*", "?"}:
            parts.append("[^/]*" if text == "*" else "[^/]")
        else:
            parts.append(f"\\{text}" if text in set(".+()$") else text)
    return "".join([*parts, "$"])


def _python_regexp(source: str) -> str:
    """An expression in Go's syntax as Python's ``re`` has to be told it; raises re.error for a wrong one.

    Go knows more than nobody means when writing an ignore file, which is refused rather than guessed at:
    ``a{2}``, ``[[:alpha:]]``, and a backslash before a digit or one of ``x p P Q z``.
    """
    # Neighbours match what one of them does, and Python would try every way to divide a path among them.
    source = re.sub(r"(\(\.\*/\)\?)+", r"\1", source)
    parts = []
    for negated, items, text in _TOKEN.findall(source):
        if items:
            parts.append(f"[{negated}{_items(items)}]")
        elif text in _SETS:
            parts.append(f"[{_SETS[text]}]")
        elif text in set("^|().*?") or text in {r"\A", r"\b", r"\B"}:
            parts.append(text)
        elif text == "$":  # Python's own "$" would allow a line feed behind it
            parts.append(r"\Z")
        elif text == "[":
            raise re.error("a class without an end")
        elif text[0] == "{" and len(text) > 1:
            raise re.error(f"a repetition: {text}")
        else:
            parts.append(_literal(text))
    return "".join(parts)


def _items(items: str) -> str:
    """What stands between the brackets of a class; quoted, as Python has plans for ``[[`` and ``&&``."""
    if "[:" in items:
        raise re.error("a named class")
    return "".join(
        _SETS[low] if low in _SETS and not high else _literal(low) + (f"-{_literal(high)}" if high else "")
        for low, high in _ITEM.findall(items)
    )


def _literal(text: str) -> str:
    """One character, as it is or behind a backslash, which Go allows before punctuation and a few letters."""
    character = text[-1]
    if len(text) == 1 or (character.isascii() and not character.isalnum()):
        return re.escape(character)
    if character in "afnrtv":
        return text
    raise re.error(f"an unknown escape: {text}")
