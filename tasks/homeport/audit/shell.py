"""The commands of a RUN, found in the file's own text, so that a word of one can be taken out. Pure.

Not a shell: words and what separates commands, as POSIX has them (Shell Command Language, 2.2, 2.3, 2.10),
with Docker's line continuation. What it can't follow (an ``eval``, a function) it takes for words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from homeport.model.instruction import Instruction, json_form

_SEPARATORS = {"&", "|", ";", "(", ")"}
_GROUPS = {"{", "}", "if", "then", "else", "elif", "fi", "do", "done", "while", "until", "for", "!", "set"}
_HEREDOC = re.compile(r"<<-?\s*[\"']?\w+[\"']?")


@dataclass(frozen=True)
class Word:
    """A word without its quotes, and where it stands in the file."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Command:
    """A simple command: what is set before it, its words."""

    words: tuple[Word, ...]
    variables: tuple[Word, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(word.text for word in self.words)


def commands(text: str, instruction: Instruction) -> tuple[Command, ...]:
    """The commands of a RUN in the shell form; ``text`` is the whole file.

    A here-document counts where it is what the shell runs (``RUN <<EOF``); elsewhere it is some command's
    input. None for the JSON form: there is no shell, and nothing in it is looked at.
    """
    if json_form(instruction.value) is not None:
        return ()
    lines = offsets(text)
    start, end = lines[instruction.line - 1], lines[instruction.last]
    body = sum(heredoc.content.count("\n") + 1 for heredoc in instruction.heredocs)
    middle = lines[instruction.last - body]
    start = _after_flags(text, start, middle, instruction.escape)
    found = list(_split(_words(text, start, middle, instruction.escape, joined=True)))
    if is_script(instruction):
        found += _split(_words(text, middle, end, "\\", joined=False))
    return tuple(found)


def is_script(instruction: Instruction) -> bool:
    """Whether the one here-document of a RUN is its shell's own text, and has none itself."""
    if len(instruction.heredocs) != 1 or not re.fullmatch(
        r"\s*<<-?\s*[\"']?[\w.-]+[\"']?\s*", instruction.value
    ):
        return False
    content = instruction.heredocs[0].content
    return not content.lstrip().startswith("#!") and "<<" not in content


def flags_start(text: str, instruction: Instruction) -> int:
    """Where the first flag of an instruction stands, or would stand: behind its keyword and one blank."""
    start = offsets(text)[instruction.line - 1]
    match = re.compile(r"[ \t]*[A-Za-z]+").match(text, start)
    return match.end() if match else start


def words(text: str, instruction: Instruction) -> list[Word]:
    """The words of an instruction other than RUN behind its keyword, such as the assignments of ENV."""
    lines = offsets(text)
    start = flags_start(text, instruction)
    found = _words(text, start, lines[instruction.last], instruction.escape, joined=True)
    return [word for word in found if word is not None]


def removal(text: str, words: list[Word], index: int) -> tuple[int, int]:
    """From where to where to cut so that a word is gone, with the line that it has to itself.

    ``words`` are all of the instruction's. Raises ValueError where that can't be done cleanly.
    """
    word = words[index]
    begin = text.rfind("\n", 0, word.start) + 1
    stop = text.find("\n", word.end)
    stop = len(text) if stop < 0 else stop
    alone = not text[begin : word.start].strip() and text[word.end : stop].strip() in {"\\", "`"}
    if alone:
        return begin, stop + 1
    if not text[begin : word.start].strip():
        before = words[index - 1].end if index else word.start
        if index == 0 or "#" in text[before : word.start]:
            raise ValueError("the word begins a line that can't go")
        if not text[word.end : stop].strip():
            return before, word.end
        return word.start, word.end + len(text[word.end : stop]) - len(text[word.end : stop].lstrip(" \t"))
    blanks = len(text[begin : word.start]) - len(text[begin : word.start].rstrip(" \t"))
    return word.start - blanks, word.end


def offsets(text: str) -> list[int]:
    """Where each line begins, and where the last one ends. Only a line feed ends a line, as for BuildKit."""
    found = [0]
    for match in re.finditer("\n", text):
        found.append(match.end())
    if not text.endswith("\n"):
        found.append(len(text))
    return found


def _after_flags(text: str, start: int, end: int, escape: str) -> int:
    position = start
    keyword = True
    for word in _words(text, start, end, escape, joined=True):
        if word is None:
            break
        if not keyword and not word.text.startswith("--"):
            return word.start
        position, keyword = word.end, False
    return position


def _split(words: Iterator[Word | None]) -> Iterator[Command]:
    own: list[Word] = []
    for word in (*words, None):
        if word is None or (not own and word.text in _GROUPS):
            if own:
                yield _command(own)
            own = []
        else:
            own.append(word)


def _command(words: list[Word]) -> Command:
    position = 0
    while position < len(words) and re.match(r"[A-Za-z_]\w*=", words[position].text):
        position += 1
    return Command(tuple(words[position:]), tuple(words[:position]))


def _words(text: str, start: int, end: int, escape: str, *, joined: bool) -> Iterator[Word | None]:
    """Words, and None where a command ends. ``joined``: lines are joined before the shell sees them."""
    position = start
    begin = -1
    quote = ""
    letters: list[str] = []
    fresh = True  # a new line, on which a comment may stand

    def ended() -> Iterator[Word]:
        nonlocal begin
        if begin >= 0:
            yield Word("".join(letters), begin, position)
        begin = -1
        letters.clear()

    while position < end:
        char = text[position]
        if char == escape and re.match(r"[ \t]*\r?\n", text[position + 1 : position + 80]) and quote != "'":
            if not quote:
                yield from ended()
            position = text.index("\n", position) + 1
            fresh = True
            continue
        if char == "#" and begin < 0 and not quote:
            stop = text.find("\n", position)
            if stop < 0 or (joined and not fresh):
                # Behind other words it is the shell's, for whom all that is joined is one line.
                break
            position = stop + 1 if joined else stop
            continue
        if quote:
            if char == quote:
                quote = ""
            elif char == "\\" and quote == '"' and position + 1 < end:
                position += 1
                letters.append(text[position])
            else:
                letters.append(char)
        elif char in "\"'":
            quote = char
            begin = position if begin < 0 else begin
        elif char == "\\" and position + 1 < end:
            begin = position if begin < 0 else begin
            position += 1
            letters.append(text[position])
        elif char in " \t\r\n":
            yield from ended()
            if char == "\n":
                fresh = True
                if not joined:
                    yield None
        elif char in _SEPARATORS and not (char == "&" and letters[-1:] == [">"]):
            yield from ended()
            yield None
        else:
            begin = position if begin < 0 else begin
            letters.append(char)
        if char not in " \t\n":
            fresh = False
        position += 1
    yield from ended()
