"""Cache mounts get ids of their own or go, and nothing else of a Dockerfile changes."""

from __future__ import annotations

import pytest

from homeport.bench.mounts import NotEditable, again, count, own, without

PLAIN = "FROM a\nRUN --mount=type=cache,target=/root/.cache/pip pip install x\nCMD y\n"


def test_a_mount_gets_an_id_that_only_this_run_has() -> None:
    assert own(PLAIN, "run1-with") == PLAIN.replace(
        "target=/root/.cache/pip", "target=/root/.cache/pip,id=run1-with/root/.cache/pip"
    )


@pytest.mark.parametrize(
    ("flags", "owned", "left"),
    [
        ("--mount=type=cache,id=pip,target=/c", "--mount=type=cache,target=/c,id=P-pip ", ""),
        ("--mount=type=cache,dst=/c,sharing=locked", "--mount=type=cache,dst=/c,sharing=locked,id=P-/c ", ""),
        ("--mount=target=/c,type=CACHE", "--mount=target=/c,type=CACHE,id=P-/c ", ""),
        (
            "--mount=type=bind,target=/s --mount=type=cache,target=/c",
            "--mount=type=bind,target=/s --mount=type=cache,target=/c,id=P-/c ",
            "--mount=type=bind,target=/s ",
        ),
        ("--mount=type=secret,id=s --network=none", "--mount=type=secret,id=s --network=none ",
         "--mount=type=secret,id=s --network=none "),
    ],
)  # fmt: skip
def test_the_flags(flags: str, owned: str, left: str) -> None:
    text = f"FROM a\nRUN {flags} make\n"
    assert own(text, "P-") == f"FROM a\nRUN {owned}make\n"
    assert without(text) == f"FROM a\nRUN {left}make\n"


def test_over_several_lines() -> None:
    text = (
        "FROM a\n# RUN --mount=type=cache,target=/x x\n"
        "RUN --mount=type=cache,target=/c \\\n  --mount=type=tmpfs,target=/t \\\n  make \\\n  all\n"
        "RUN echo --mount=type=cache\n"
    )
    assert own(text, "P") == text.replace("target=/c \\", "target=/c,id=P/c \\")
    assert without(text) == text.replace("--mount=type=cache,target=/c \\", "\\")
    assert (count(text), count(without(text))) == (1, 0)


def test_what_is_not_plainly_written_is_refused() -> None:
    with pytest.raises(NotEditable, match="line 2"):
        own('FROM a\nRUN --mount="type=cache,target=/c" make\n', "P")
    with pytest.raises(NotEditable):
        without("FROM a\nRUN <<EOT\nmake\n")


def test_line_ends_stay() -> None:
    text = "FROM a\r\nRUN --mount=type=cache,target=/c make\r\nRUN x\n"
    assert own(text, "P") == text.replace("target=/c", "target=/c,id=P/c")
    assert without("FROM a\nRUN make") == "FROM a\nRUN make"


def test_steps_run_again_in_every_stage() -> None:
    text = "ARG V=1\nFROM a AS one\nRUN x\nFROM \\\n  one\nRUN y\n"
    assert again(text, "1f") == (
        "ARG V=1\nFROM a AS one\nARG HOMEPORT_BENCH=1f\nRUN x\nFROM \\\n  one\nARG HOMEPORT_BENCH=1f\nRUN y\n"
    )
    with pytest.raises(NotEditable):
        again("", "1f")
