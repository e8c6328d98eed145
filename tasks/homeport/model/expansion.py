"""Variables, quotes and escapes in Dockerfiles, as BuildKit's small shell lexer processes them.

Rules: https://docs.docker.com/reference/dockerfile/#environment-replacement, and where that is silent
https://github.com/moby/buildkit/blob/master/frontend/dockerfile/shell/lex.go. Its oddities are kept, for what
counts here is what BuildKit would do, not what a shell would.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# White space of Go's unicode package. Python's own str.strip() and \s know four more: \x1c to \x1f.
_FEW = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
SPACE = _FEW + "".join(map(chr, range(0x2000, 0x200B)))
_SPECIAL_NAME = re.compile(r"\d+|[@*#?$!-]")
# A here-document's name may stand apart from what announces it.
_ARROWS = re.compile(r"<(?:<[\t\r ]*)?")
_MODIFIERS = {"-", "+", "?", "#", "%"}


class ExpansionError(ValueError):
    """A text that BuildKit refuses to expand: an open quote or brace, a bad ``${...}``, ``${x:?}`` unset."""


@dataclass(frozen=True)
class Expansion:
    """An expanded text, the names of all variables looked up for it, and of those that were not in scope.

    A name counts even where its value did not matter: BuildKit reads ``$b`` in ``${a:-$b}`` in any case.
    """

    text: str
    names: frozenset[str]
    missing: frozenset[str]


def expand(text: str, scope: Mapping[str, str], escape: str = "\\") -> str:
    """``text`` with variables replaced (unset: nothing), quotes removed and escapes resolved.

    Raises ExpansionError where BuildKit fails.
    """
    return expansion(text, scope, escape).text


def expansion(text: str, scope: Mapping[str, str], escape: str = "\\", *, quotes: bool = True) -> Expansion:
    """Like ``expand``, and which variables that took.

    ``quotes=False`` leaves quotes alone: so BuildKit treats here-documents of COPY and ADD (and always with a
    backslash to escape, whatever the file's escape directive says).
    """
    lexer = _Lexer(text, scope, escape, quotes=quotes)
    return Expansion(lexer.all(), frozenset(lexer.names), frozenset(lexer.missing))


def shell_words(
    text: str, scope: Mapping[str, str] | None = None, *, raw_quotes: bool = False, raw_escapes: bool = False
) -> tuple[str, ...]:
    """``text`` expanded and split at white space outside of quotes; BuildKit looks for ``<<WORD`` this way.

    Quotes and escapes stay in the words if they are raw, and variables all stay if there is no scope.
    """
    lexer = _Lexer(text, scope or {}, "\\", True, raw_quotes, raw_escapes, keep_unset=scope is None)
    lexer.all()
    return tuple(lexer.words)


@dataclass
class _Lexer:
    text: str
    scope: Mapping[str, str]
    escape: str = "\\"
    quotes: bool = True
    raw_quotes: bool = False
    raw_escapes: bool = False
    keep_unset: bool = False
    names: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    words: list[str] = field(default_factory=list)
    word: str = ""
    position: int = 0

    def peek(self) -> str:
        """The next character, empty at the end."""
        return self.text[self.position : self.position + 1]

    def next(self) -> str:
        self.position += 1
        return self.text[self.position - 1 : self.position]

    def matching(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        self.position = match.end() if match else self.position
        return match[0] if match else ""

    def all(self) -> str:
        self.text = self.text.removeprefix("\ufeff")  # Go's scanner drops it
        try:
            text = self.until("", raw_escapes=self.raw_escapes)
        except RecursionError:
            raise ExpansionError("variables are nested too deep") from None
        self.gather(" ", splits=True)
        return text

    def until(self, stop: str, *, raw_escapes: bool) -> str:
        """What comes before the next ``stop``, which is eaten, or before the end if that is empty."""
        before, self.raw_escapes = self.raw_escapes, raw_escapes
        if stop:
            self.word = ""  # BuildKit keeps one word for all levels: a ${x:-y} forgets how its word began
        found: list[str] = []
        while (char := self.peek()) and char != stop:
            splits = False
            if char == "$":
                part, splits = self.variable(), True
            elif char == "<":
                part = self.matching(_ARROWS)
            elif self.quotes and char in "'\"":
                part = self.single_quoted() if char == "'" else self.double_quoted()
            else:
                part, splits = self.next(), char != self.escape
                if char == self.escape:
                    part = (char if self.raw_escapes else "") + self.next()
            found.append(part)
            if not stop:
                self.gather(part, splits=splits)
        if stop and not self.next():
            raise ExpansionError(f"there is no '{stop}' to close a ${{...}}")
        self.raw_escapes = before
        return "".join(found)

    def gather(self, part: str, *, splits: bool) -> None:
        for char in part if splits else [part]:
            if not splits or char not in SPACE:
                self.word += char
            elif self.word:
                self.words.append(self.word)
                self.word = ""

    def single_quoted(self) -> str:
        start = self.position + 1
        end = self.text.find("'", start)
        if end < 0:
            raise ExpansionError("a single quote is not closed")
        self.position = end + 1
        return self.text[start - 1 : end + 1] if self.raw_quotes else self.text[start:end]

    def double_quoted(self) -> str:
        self.position += 1
        quote = '"' if self.raw_quotes else ""
        found = [quote]
        while (char := self.peek()) != '"':
            if not char:
                raise ExpansionError("a double quote is not closed")
            if char == "$":
                found.append(self.variable())
                continue
            self.position += 1
            if char == self.escape:
                found.append(char if self.raw_escapes else "")
                if not self.peek():
                    continue
                # Nothing else can be escaped: before any other character the escape character is itself.
                if self.peek() in ('"', "$", self.escape):
                    char = self.next()
            found.append(char)
        self.position += 1
        return "".join(found) + quote

    def variable(self) -> str:
        self.position += 1
        if self.peek() != "{":
            name = self.name()
            return self.plain(name, f"${name}") if name else "$"
        self.position += 1
        if self.peek() in ("", "{", "}", ":"):
            raise ExpansionError("a ${...} without a name")
        name = self.name()
        sign = self.next()
        if sign == "}":
            return self.plain(name, f"${{{name}}}")
        if sign == "/":
            return self.replaced(name)
        if sign == ":":
            sign += self.next()
        if sign in {":#", ":%"} or (len(sign) < 2 and sign not in _MODIFIERS):
            raise ExpansionError(f"'{sign}' is no way to modify a variable")
        word = self.until("}", raw_escapes=sign in {"#", "%"})
        value = self.look_up(name)
        if value is None and self.keep_unset:
            return f"${{{name}{sign}{word}}}"
        return _modified(name, value, sign, word)

    def replaced(self, name: str) -> str:
        everywhere = self.peek() == "/"
        self.position += everywhere
        pattern = self.until("/", raw_escapes=True)
        replacement = self.until("}", raw_escapes=True)
        value = self.look_up(name)
        if value is None and self.keep_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        return _replaced(value or "", _glob(pattern), replacement, everywhere=everywhere)

    def plain(self, name: str, written: str) -> str:
        value = self.look_up(name)
        return (written if self.keep_unset else "") if value is None else value

    def look_up(self, name: str) -> str | None:
        self.names.add(name)
        value = self.scope.get(name)
        if value is None:
            self.missing.add(name)
        return value

    def name(self) -> str:
        special = self.matching(_SPECIAL_NAME)
        start, self.position = (
            self.position,
            self.position if special else _name_end(self.text, self.position),
        )
        return special or self.text[start : self.position]


def _name_end(text: str, position: int) -> int:
    """Where letters, digits and ``_`` end; str.isalnum would take ``²`` and ``½`` for digits, Go doesn't."""
    while (char := text[position : position + 1]).isalpha() or char.isdecimal() or char == "_":
        position += 1
    return position


def _modified(name: str, value: str | None, sign: str, word: str) -> str:
    there = bool(value) if sign.startswith(":") else value is not None
    value, kind = value or "", sign[-1]
    if kind not in _MODIFIERS:
        raise ExpansionError(f"'{sign}' is no way to modify a variable")
    if kind == "-":
        return value if there else word
    if kind == "+":
        return word if there else ""
    if kind == "?":
        if not there:
            raise ExpansionError(f"{name}: {word or 'is needed and has no value'}")
        return value
    greedy = word.startswith(kind)
    pattern = word[greedy:]
    if kind == "#":
        match = _glob(pattern, greedy=greedy).match(value)
        return value[match.end() :] if match else value
    # Mirrored, the shortest end is the shortest beginning: a regular expression can't look from the right.
    match = _glob(_mirrored(pattern), greedy=greedy).match(value[::-1])
    return value[: len(value) - match.end()] if match else value


def _mirrored(pattern: str) -> str:
    return "".join(reversed(re.findall(r"\\.|.", pattern, re.DOTALL)))


def _glob(pattern: str, *, greedy: bool = True) -> re.Pattern[str]:
    """``*`` and ``?`` as a regex; here a backslash escapes, whatever the file's escape directive says."""
    wild = {"*": ".*" if greedy else ".*?", "?": "."}
    found: list[str] = []
    for piece in re.findall(r"\\?.|\\", pattern.removeprefix("\ufeff"), re.DOTALL):
        if piece[0] == "\\" and piece[1:] not in set("}/*?\\"):
            raise ExpansionError(f"the pattern '{pattern}' has an escape that there is not: '{piece}'")
        found.append(wild.get(piece) or re.escape(piece[-1]))
    return re.compile("".join(found))


def _replaced(value: str, pattern: re.Pattern[str], replacement: str, *, everywhere: bool) -> str:
    if not everywhere:
        match = pattern.search(value)
        return value[: match.start()] + replacement + value[match.end() :] if match else value
    end = 0

    def one(match: re.Match[str]) -> str:
        nonlocal end
        # Go's ReplaceAllString skips an empty match right behind another one; Python's sub does not.
        new = match.end() > end or match.start() == 0
        end = match.end()
        return _template(replacement, match[0]) if new else ""

    return pattern.sub(one, value)


def _template(text: str, matched: str) -> str:
    """For ``//`` (not ``/``) BuildKit leaves the replacement to Go's regexp, which has ``$0`` and ``$$``."""
    found = ""
    while "$" in text:
        head, _, text = text.partition("$")
        found += head
        brace = text.startswith("{")
        end = _name_end(text, brace)
        if text.startswith("$"):
            found, text = found + "$", text[1:]
        elif end == brace or (brace and text[end : end + 1] != "}"):
            found += "$"
        else:
            found, text = found + (matched if text[brace:end] == "0" else ""), text[end + brace :]
    return found + text
