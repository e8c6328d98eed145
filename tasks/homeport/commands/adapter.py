"""Between invoke and the flows: errors become text and exit codes, ``--json`` a document."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from invoke import Exit, task

from homeport.errors import (
    EXIT_INTERRUPTED,
    ISSUES_URL,
    HomeportError,
    Interrupted,
    NotWritable,
    UsageError,
)


def command(help: dict[str, str], optional: Sequence[str] = ()) -> Callable[[Callable[..., int]], Any]:  # noqa: A002 - invoke's own word
    """Make a function an invoke task that returns its exit code and raises HomeportError.

    invoke takes an argument's kind from its default and ignores type hints, so numbers are texts here,
    checked by ``whole_number``: its own check ends in a traceback. ``optional`` options may have a value.
    """

    def wrap(function: Callable[..., int]) -> Any:
        @functools.wraps(function)
        def adapted(*args: Any, **kwargs: Any) -> None:
            code = guarded(lambda: _real(function, args, kwargs), str(kwargs.get("json", "")))
            if code:
                raise Exit(code=code)

        return task(adapted, help=help, optional=optional, auto_shortflags=False)

    return wrap


def _real(function: Callable[..., int], args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    if args and args[0].config.run.dry:
        raise UsageError("invoke's --dry does nothing here.", hint="Use 'build --dry-run' to see the plan.")
    return function(*args, **kwargs)


def guarded(work: Callable[[], int], json_path: str = "") -> int:
    """Run ``work`` and return an exit code; every error is shown, and written to ``--json`` if asked."""
    try:
        from homeport.engine.signals import on_stop_request

        with on_stop_request(_interrupt):
            return work()
    except HomeportError as error:
        return _failed(error, json_path)
    except KeyboardInterrupt:
        return _failed(Interrupted("Interrupted.", hint="Nothing was left running."), json_path)
    except BrokenPipeError:
        silence_output()
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place where a bug of ours becomes a message
        _bug(error)
        return 1


def _failed(error: HomeportError, json_path: str) -> int:
    from homeport.report.console import make_console, show_error

    show_error(error, make_console(sys.stderr))
    if json_path and not _stands_in_the_way(error, json_path):
        from homeport.report.document import write_json

        try:
            write_json(json_path, {**error.document, "error": error.as_dict()})
        except HomeportError as second:
            show_error(second, make_console(sys.stderr))
    return error.exit_code


def _stands_in_the_way(error: HomeportError, json_path: str) -> bool:
    """Whether an error says that this file can't be written: to try it would say so once more."""
    wanted = Path(json_path)
    return isinstance(error, NotWritable) and Path(error.path) in (wanted, *wanted.parents)


def _bug(error: Exception) -> None:
    traceback.print_exc(file=sys.stderr)
    print(
        f"\nerror: this is a bug in homeport ({type(error).__name__}).\n"
        f" next: please report it with the lines above: {ISSUES_URL}",
        file=sys.stderr,
    )


def silence_output() -> None:
    """The reader of our output is gone ("homeport build | head"): write no more, and don't complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def whole_number(text: str, option: str, default: int) -> int:
    """The value of a number option; empty is ``default``. Raises UsageError for anything else."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise UsageError(f"{option} takes a whole number of 0 or more, not {text!r}.")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """The values of a list option: separated by commas, blanks around them ignored, empty ones dropped."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
