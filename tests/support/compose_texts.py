"""Compose files made up by hypothesis: few services, in every way that people and tools write YAML."""

from __future__ import annotations

from hypothesis import strategies as st

COMMENTS = ("# a comment", "#", "#\ttabs\tin it", "# deploy:", "# ä ö 🐳 \u00a0 end")
VALUES = (
    "image: postgres:16",
    "image:   'x'   # behind it",
    'command: ["a", "b", # inside\n@  "c"]',
    "command: >-\n@  folded\n@\n@  text",
    "command: |\n@  text\n\n@    deeper\n",
    "command: |+\n@  kept\n\n\n",
    "command: |2-\n@   indented\n@  less",
    "command: |\n@  # no comment\n@  last line",
    "command: plain text\n@  over two lines\n\n@  and a blank one",
    'command: "quoted\n@  over two \\" lines"',
    "environment:\n@- A=1\n@- B=2",
    "environment:\n@  A: 1\n@  # a comment in it\n@  B:",
    "environment: {A: 1, B: {C: '#'}}",
    'environment:\n@    - A=1\n@      # a comment\n\n@    -  "B"',
    "labels: *labels",
    "labels:\n@  <<: *labels\n@  more: ~",
    "ports: !override\n@  - 80:80",
    "restart: !reset null",
    "init:",
    "init: &flag true",
    "healthcheck: {test: [CMD, x]}   ",
    "deploy:",
    "deploy:   # nothing yet",
    "deploy:\n@  replicas: 2",
    "deploy:\n@      replicas: 2   # six\n\n@      restart_policy:\n@          condition: any\n",
    "deploy:\n@  resources:\n@    limits:\n@      memory: 1G\n@  # behind\n@  replicas: 1",
    "deploy:\n@  resources:\n@    # before\n@    reservations:\n@      memory: 1G # it\n",
    "deploy: {replicas: 2}",
    "deploy: *deploy",
    "deploy:\n@  <<: *deploy",
    "deploy:\n@  resources: &own\n@    limits:\n@      pids: 5",
)
HEAD = (
    "x-labels: &labels {one: two}",
    "x-deploy: &deploy\n  resources:\n    limits:\n      memory: 1G\n      cpus: '3'",
)


def _key(value: str) -> str:
    return value.partition(":")[0]


@st.composite
def services(draw: st.DrawFn, name: str, indent: int) -> list[str]:
    """A service's lines, each key once."""
    step = draw(st.sampled_from([1, 2, 2, 4]))
    inside = " " * (indent + step)
    chosen = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=5, unique_by=_key))
    lines = [f"{' ' * indent}{name}:{draw(st.sampled_from(['', '  # which']))}"]
    for value in chosen:
        lines += draw(noise(inside))
        lines += f"{inside}{value}".replace("@", inside).split("\n")
    return lines + draw(noise(inside))


@st.composite
def noise(draw: st.DrawFn, indent: str) -> list[str]:
    """Blank lines and comments, at any indentation."""
    pieces = st.one_of(
        st.just(""),
        st.just("   "),
        st.builds(
            lambda space, text: space + text,
            st.sampled_from([indent, "", indent + "  ", "  "]),
            st.sampled_from(COMMENTS),
        ),
    )
    return draw(st.lists(pieces, max_size=2)) if draw(st.booleans()) else []


@st.composite
def compose_files(draw: st.DrawFn) -> bytes:
    """The bytes of a Compose file with the services ``a``, ``b`` and ``c``, some of them."""
    indent = draw(st.sampled_from([1, 2, 2, 3, 4]))
    lines = [line for part in HEAD for line in part.split("\n")]
    lines += draw(noise(""))
    lines.append("services:")
    for name in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)):
        lines += draw(services(name, indent))
    if draw(st.booleans()):
        lines += ["volumes:", "  data:"]
    text = "\n".join(lines)
    end = draw(st.sampled_from(["\n", "", "\n\n", "\n...\n", "\n---\n# nothing\n"]))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    mark = draw(st.sampled_from(["", "", "\ufeff"]))
    return (mark + (text + end).replace("\n", newline)).encode()
