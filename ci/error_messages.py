"""The errors of the product, read from its code: for each the words, as far as the code has them.

An error's words stand where it is made (``UsageError("...", hint="...")``), so they are found there: every
call of HomeportError or of a class derived from it. What only a run knows is a hole, ``…``. Words that reach
the call by a variable, a constant or a parameter are followed to where they are written.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HOLE = "…"
ROOT_CLASS = "HomeportError"
NEVER_SHOWN = {
    "Cancelled": "ends the rest of a deploy that failed; the failure itself is what is shown",
    "CanNotSay": "the audit says it in a note",
}
_MOST_FORMS = 24
_FEWEST_WORDS = 2


@dataclass(frozen=True)
class Message:
    """One error as the code has it. ``causes`` and ``hints`` are the forms that each may take; ``kind`` is
    its class, ``code`` the exit code of that class, ``modules`` where it is made."""

    what: str
    kind: str
    code: int
    causes: tuple[str, ...]
    hints: tuple[str, ...]
    modules: tuple[str, ...]


def read(package: Path) -> list[Message]:
    """Every error that the modules of a package make, sorted by its words."""
    code = _Code(package)
    found: dict[tuple[str, str], Message] = {}
    for module, calls in code.calls.items():
        for call in calls:
            kind = _called(call)
            if kind not in code.exit_codes or kind in NEVER_SHOWN or not call.args:
                continue
            parts = {word.arg: word.value for word in call.keywords}
            causes, hints = (_said(code, module, parts.get(key)) for key in ("cause", "hint"))
            for what in code.whole(call.args[0], module):
                before = found.get((what, kind))
                found[what, kind] = Message(
                    what,
                    kind,
                    code.exit_codes[kind],
                    _both(before.causes if before else (), causes),
                    _both(before.hints if before else (), hints),
                    _both(before.modules if before else (), (module,)),
                )
    return sorted(found.values(), key=lambda one: (first_words(one.what), one.what, one.kind))


def first_words(text: str) -> str:
    """The text for sorting: without the quotes and holes that it may begin with."""
    return text.lstrip(HOLE + " '\"[]().,:;-").casefold()


def _said(code: _Code, module: str, node: ast.expr | None) -> tuple[str, ...]:
    """The forms of a cause or hint that say something: a hole alone is another program's words."""
    forms = code.forms(node, module) if node else []
    return tuple(form for form in forms if form.strip(f"{HOLE}. "))


def _both(some: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*some, *more]))


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


class _Code:
    """All modules of a package: trees, the exit codes of error classes, and what a name may stand for."""

    def __init__(self, package: Path) -> None:
        self._ask_callers = False
        self.trees: Mapping[str, ast.Module] = {
            path.relative_to(package).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
            for path in sorted(package.rglob("*.py"))
        }
        self._parents = {
            child: node
            for tree in self.trees.values()
            for node in ast.walk(tree)
            for child in ast.iter_child_nodes(node)
        }
        self.calls = {
            module: [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
            for module, tree in self.trees.items()
        }
        self._imported = {module: frozenset(_imports(tree)) for module, tree in self.trees.items()}
        self.exit_codes = self._classes()

    def whole(self, node: ast.expr, module: str) -> list[str]:
        """The forms of an error's first sentence. Callers are asked for words only if it has none itself."""
        self._ask_callers = False
        forms = self.forms(node, module)
        if all(_words(form) < _FEWEST_WORDS for form in forms):
            self._ask_callers = True
            forms = self.forms(node, module)
            self._ask_callers = False
        return forms

    def _classes(self) -> Mapping[str, int]:
        """The exit code of each class of errors: its own, or that of the class it is derived from."""
        constants = self._constants("errors.py")
        codes: dict[str, int] = {}
        classes = [
            node for tree in self.trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
        ]
        while True:
            before = len(codes)
            for one in classes:
                bases = [base.id for base in one.bases if isinstance(base, ast.Name)]
                inherited = next((codes[base] for base in bases if base in codes), None)
                if one.name == ROOT_CLASS or inherited is not None:
                    codes.setdefault(one.name, _own_code(one, constants) or inherited or 0)
            if len(codes) == before:
                return codes

    def _constants(self, module: str) -> Mapping[str, ast.expr]:
        return {
            node.targets[0].id: node.value
            for node in self.trees[module].body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }

    def forms(self, node: ast.expr | None, module: str, seen: frozenset[ast.AST] = frozenset()) -> list[str]:
        """What a text may read, each form once; a part that can't be told is a hole."""
        if node is None or node in seen:
            return [HOLE]
        seen = seen | {node}
        forms = [HOLE]
        if isinstance(node, ast.Constant):
            forms = [str(node.value)] if isinstance(node.value, str) else [HOLE]
        elif isinstance(node, ast.JoinedStr):
            forms = self._joined([self._part(one, module, seen) for one in node.values])
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            forms = self._joined([self.forms(side, module, seen) for side in (node.left, node.right)])
        elif isinstance(node, ast.IfExp):
            forms = self.forms(node.body, module, seen) + self.forms(node.orelse, module, seen)
        elif isinstance(node, ast.Call) and _called(node) == "did_you_mean":
            forms = [f"did you mean '{HOLE}'?"]
        elif isinstance(node, ast.Name):
            forms = self._named(node, module, seen)
        forms = list(dict.fromkeys(re.sub(f"{HOLE}[{HOLE}.]*{HOLE}", HOLE, form) for form in forms))
        return forms if len(forms) <= _MOST_FORMS else [HOLE]

    def _part(self, node: ast.expr, module: str, seen: frozenset[ast.AST]) -> list[str]:
        if not isinstance(node, ast.FormattedValue):
            return self.forms(node, module, seen)
        return self.forms(node.value, module, seen) if node.conversion == -1 else [f"'{HOLE}'"]

    def _joined(self, parts: list[list[str]]) -> list[str]:
        return ["".join(each) for each in itertools.islice(itertools.product(*parts), _MOST_FORMS + 1)]

    def _named(self, node: ast.Name, module: str, seen: frozenset[ast.AST]) -> list[str]:
        """What a name stands for: what its function gives it, what callers hand in, a constant."""
        function = self._function(node)
        if function is not None:
            given = [
                one.value
                for one in ast.walk(function)
                if isinstance(one, ast.Assign)
                and any(isinstance(target, ast.Name) and target.id == node.id for target in one.targets)
            ]
            if given:
                return [form for value in given for form in self.forms(value, module, seen)]
            if node.id in [argument.arg for argument in _arguments(function)]:
                handed_in = self._handed_in(function, node.id, module, seen) if self._ask_callers else []
                return handed_in or [HOLE]
        constant = self._constants(module).get(node.id)
        return self.forms(constant, module, seen) if constant is not None else [HOLE]

    def _handed_in(
        self, function: ast.FunctionDef, name: str, module: str, seen: frozenset[ast.AST]
    ) -> list[str]:
        found: list[str] = []
        arguments = _arguments(function)
        position = [argument.arg for argument in arguments].index(name)
        method = bool(arguments) and arguments[0].arg == "self"
        default = _default(function, name)
        for other, calls in self.calls.items():
            if other != module and not {function.name, Path(module).stem} & self._imported[other]:
                continue
            for call in (one for one in calls if _called(one) == function.name):
                place = position - method
                by_word = [word.value for word in call.keywords if word.arg == name]
                by_place = [call.args[place]] if place < len(call.args) else []
                value = next(iter(by_word + by_place), default)
                found += self.forms(value, other, seen)
        return list(dict.fromkeys(found))

    def _function(self, node: ast.AST) -> ast.FunctionDef | None:
        while node in self._parents:
            node = self._parents[node]
            if isinstance(node, ast.FunctionDef):
                return node
        return None


def _own_code(one: ast.ClassDef, constants: Mapping[str, ast.expr]) -> int | None:
    for node in one.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = constants.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
            if node.targets[0].id == "exit_code" and isinstance(value, ast.Constant):
                return int(str(value.value))
    return None


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _default(function: ast.FunctionDef, name: str) -> ast.expr | None:
    plain = [*function.args.posonlyargs, *function.args.args]
    late = plain[len(plain) - len(function.args.defaults) :]
    pairs = [*zip(late, function.args.defaults, strict=True)]
    pairs += [
        (one, value)
        for one, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if value
    ]
    return next((value for argument, value in pairs if argument.arg == name), None)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (name.asname or name.name for name in node.names)


def _words(text: str) -> int:
    return len(re.findall(r"[a-z]{2,}", text))
