"""The oracle's tables for the Dockerfile's text and for build arguments."""

from __future__ import annotations

from mutations import (
    Case,
    all_of,
    argument,
    dockerfile,
    option,
    rebuilt,
    same,
    without,
    write,
)

_RUN = "FROM BASE\nRUN echo NONCE > /out\n"
_STAGES = """\
FROM BASE AS unused
RUN echo unused NONCE > /unused
FROM BASE AS built
RUN echo built NONCE > /built
FROM BASE
COPY --from=built /built /
"""
_AS_WRITTEN = "instructions count as they are written"

TEXT = (
    same("comment-added", dockerfile("RUN", "# why\nRUN"), _RUN),
    same("comment-changed", dockerfile("# why", "# because"), "FROM BASE\n# why\nRUN echo NONCE > /out\n"),
    same("comment-in-a-continued-line", dockerfile("# why", "# because"),
         "FROM BASE\nRUN echo \\\n# why\n NONCE > /out\n"),
    same("check-directive", dockerfile("FROM BASE", "# check=skip=all\nFROM BASE"), _RUN),
    same("blank-lines", dockerfile("RUN", "\n\n\nRUN"), _RUN),
    same("blank-line-in-a-continued-line", dockerfile("\\\n", "\\\n\n"), "FROM BASE\nRUN echo \\\nNONCE > /out\n"),
    same("line-ends", dockerfile("\n", "\r\n"), _RUN),
    same("line-end-missing", dockerfile("/out\n", "/out"), _RUN),
    same("byte-order-mark", dockerfile("FROM BASE", "\ufeffFROM BASE"), _RUN),
    same("trailing-space", dockerfile("/out", "/out  "), _RUN),
    same("leading-space", dockerfile("RUN", "  RUN"), _RUN),
    same("lower-case-keywords", all_of(dockerfile("RUN", "run"), dockerfile("FROM", "from")), _RUN),
    same("line-joined", dockerfile("echo \\\n", "echo "), "FROM BASE\nRUN echo \\\nNONCE > /out\n"),
    rebuilt("line-joined-with-other-spaces", dockerfile("echo \\\n  ", "echo "),
            "FROM BASE\nRUN echo \\\n  NONCE > /out\n"),
    same("escape-directive", dockerfile("FROM BASE", "# escape=`\nFROM BASE"), _RUN),
    rebuilt("escape-directive-that-matters", dockerfile("# escape=`\n", ""),
            "# escape=`\nFROM BASE\nRUN echo NONCE `\n  more > /out\n"),
    rebuilt("run", dockerfile("echo", "echo more"), _RUN),
    rebuilt("run-added", dockerfile("RUN", "RUN true\nRUN"), _RUN),
    rebuilt("run-order", dockerfile("RUN echo 1 > /1\nRUN echo 2 > /2", "RUN echo 2 > /2\nRUN echo 1 > /1"),
            "FROM BASE\nRUN echo NONCE\nRUN echo 1 > /1\nRUN echo 2 > /2\n"),
    rebuilt("run-network", dockerfile("RUN ", "RUN --network=none "), _RUN),
    rebuilt("run-spaces", dockerfile("echo ", "echo  "), _RUN),
    rebuilt("run-heredoc", dockerfile("one", "two"), "FROM BASE\nRUN <<EOF\necho one NONCE > /out\nEOF\n"),
    rebuilt("run-heredoc-delimiter", dockerfile("EOF", "END"), "FROM BASE\nRUN <<EOF\necho NONCE > /out\nEOF\n"),
    rebuilt("run-heredoc-tabs", dockerfile("<<EOF", "<<-EOF"), "FROM BASE\nRUN <<EOF\n\techo NONCE > /out\nEOF\n"),
    rebuilt("copy-heredoc", dockerfile("one", "two"), "FROM BASE\nCOPY <<EOF /out\none NONCE\nEOF\n"),
    rebuilt("copy-heredoc-comment", dockerfile("# one", "# two"),
            "FROM BASE\nCOPY <<EOF /out\n# one NONCE\nEOF\n"),
    rebuilt("copy-heredoc-quoted", dockerfile("<<EOF", '<<"EOF"'),
            "FROM BASE\nENV X=1\nCOPY <<EOF /out\n$X NONCE\nEOF\n"),
    rebuilt("copy-heredoc-argument", argument("X", "2"),
            "FROM BASE\nARG X\nCOPY <<EOF /out\n$X NONCE\nEOF\n", spec={"args": {"X": "1"}}),
    rebuilt("copy-heredoc-line-ends", dockerfile("one\n", "one\r\n"),
            "FROM BASE\nCOPY <<EOF /out\none\nNONCE\nEOF\n"),
    rebuilt("base-scratch", dockerfile("FROM BASE", "FROM scratch"), "FROM BASE\nCOPY a.txt /\n"),
)  # fmt: skip

# An instruction each, before and after; every one of them shows in the image's configuration.
_INSTRUCTIONS = {
    "env": ("ENV A=1", "ENV A=2"),
    "env-name": ("ENV A=1", "ENV B=1"),
    "label": ("LABEL a=1", "LABEL a=2"),
    "cmd": ('CMD ["a"]', 'CMD ["b"]'),
    "cmd-form": ('CMD ["a"]', "CMD a"),
    "entrypoint": ('ENTRYPOINT ["a"]', 'ENTRYPOINT ["b"]'),
    "workdir": ("WORKDIR /tmp", "WORKDIR /var"),
    "user": ("USER 1", "USER 2"),
    "expose": ("EXPOSE 80", "EXPOSE 81"),
    "healthcheck": ("HEALTHCHECK CMD true", "HEALTHCHECK CMD false"),
    "healthcheck-option": ("HEALTHCHECK --interval=1s CMD true", "HEALTHCHECK --interval=2s CMD true"),
    "shell": ('SHELL ["/bin/sh", "-c"]', 'SHELL ["/bin/sh", "-ec"]'),
    "stopsignal": ("STOPSIGNAL 9", "STOPSIGNAL 15"),
    "volume": ("VOLUME /a", "VOLUME /b"),
    "maintainer": ("MAINTAINER a", "MAINTAINER b"),
    "onbuild": ("ONBUILD RUN a", "ONBUILD RUN b"),
    "removed": ("LABEL a=1", ""),
    "env-legacy": ("ENV A 1", "ENV A=1"),
    "label-quotes": ("LABEL a=1", 'LABEL a="1"'),
    "expose-protocol": ("EXPOSE 80", "EXPOSE 80/tcp"),
}
# The same for what BuildKit normalises before it counts.
_NORMALISED = {
    "cmd-json-spaces": ('CMD ["a", "b"]', 'CMD ["a","b"]', _AS_WRITTEN),
    "expose-spaces": ("EXPOSE 80 81", "EXPOSE 80   81", ""),
    "stopsignal-spaces": ("STOPSIGNAL 9", "STOPSIGNAL  9", ""),
    "copy-spaces": ("COPY b.txt /", "COPY   b.txt   /", ""),
    "env-spaces": ("ENV A=1 B=2", "ENV A=1   B=2", _AS_WRITTEN),
    "workdir-slash": ("WORKDIR /tmp", "WORKDIR  /tmp", _AS_WRITTEN),
}

INSTRUCTIONS = (
    *(
        rebuilt(f"instruction-{name}", dockerfile(f"{old}\n", f"{new}\n"), f"FROM BASE\nCOPY a.txt /\n{old}\n")
        for name, (old, new) in _INSTRUCTIONS.items()
    ),
    *(
        same(f"instruction-{name}", dockerfile(f"{old}\n", f"{new}\n"), f"FROM BASE\nCOPY a.txt /\n{old}\n",
             false_build=reason)
        for name, (old, new, reason) in _NORMALISED.items()
    ),
)  # fmt: skip

STAGES = (
    same("stage-unreachable-changed", dockerfile("echo unused", "echo other"), _STAGES),
    same("stage-unreachable-removed",
         dockerfile("FROM BASE AS unused\nRUN echo unused NONCE > /unused\n", ""), _STAGES),
    same("stage-unreachable-added", dockerfile("FROM BASE\nCOPY", "FROM BASE AS more\nRUN false\nFROM BASE\nCOPY"),
         _STAGES),
    same("stage-unreachable-after-the-target", write("Dockerfile", "FROM BASE AS app\nCOPY a.txt /\nFROM BASE\nRUN 2"),
         "FROM BASE AS app\nCOPY a.txt /\nFROM BASE\nRUN 1\n", spec={"target": "app"}),
    same("stage-unreachable-file", write("b.txt", "2"),
         "FROM BASE AS unused\nCOPY b.txt /\nFROM BASE\nCOPY a.txt /\n"),
    same("stage-order", write("Dockerfile", "FROM BASE AS b\nCOPY b.txt /\nFROM BASE AS a\nCOPY a.txt /\n"
                                            "FROM BASE\nCOPY --from=a /a.txt /\nCOPY --from=b /b.txt /\n"),
         "FROM BASE AS a\nCOPY a.txt /\nFROM BASE AS b\nCOPY b.txt /\n"
         "FROM BASE\nCOPY --from=a /a.txt /\nCOPY --from=b /b.txt /\n"),
    rebuilt("stage-reachable-changed", dockerfile("echo built", "echo other"), _STAGES),
    rebuilt("stage-reachable-by-base", dockerfile("echo one", "echo two"),
            "FROM BASE AS a\nRUN echo one NONCE > /one\nFROM a\nCMD x\n"),
    rebuilt("stage-reachable-by-mount", dockerfile("echo one", "echo two"),
            "FROM BASE AS a\nRUN echo one NONCE > /one\n"
            "FROM BASE\nRUN --mount=from=a,target=/a cat /a/one > /out\n"),
    rebuilt("stage-reachable-by-number", dockerfile("echo one", "echo two"),
            "FROM BASE\nRUN echo one NONCE > /one\nFROM BASE\nCOPY --from=0 /one /\n"),
    rebuilt("stage-reachable-in-two-steps", write("a.txt", "2"),
            "FROM BASE AS a\nCOPY a.txt /\nFROM BASE AS b\nCOPY --from=a /a.txt /b.txt\n"
            "FROM BASE\nCOPY --from=b /b.txt /\n"),
    rebuilt("stage-upper-case-name", dockerfile("echo one", "echo two"),
            "FROM BASE AS Tools\nRUN echo one NONCE > /one\nFROM BASE\nCOPY --from=TOOLS /one /\n"),
    same("stage-made-otherwise-with-the-same-result", dockerfile("echo one", "true; echo one"),
         "FROM BASE AS a\nRUN echo one NONCE > /one\nFROM BASE\nCOPY --from=a /one /\n",
         false_build="BuildKit's cache goes by the content of what it copies from a stage; "
         "only a build can tell that it is the same"),
    same("stage-with-another-file-of-no-use", dockerfile("> /two", "> /2"),
         "FROM BASE AS a\nRUN echo NONCE > /one\nRUN echo > /two\nFROM BASE\nCOPY --from=a /one /\n",
         false_build="BuildKit's cache goes by the content of what it copies from a stage; "
         "only a build can tell that it is the same"),
    rebuilt("stage-renamed", dockerfile("built", "made"), "FROM BASE AS built\nRUN echo NONCE > /out\n"
            "FROM BASE\nCOPY --from=built /out /\n"),
    same("stage-of-the-target-renamed", dockerfile("AS app", "AS program"), "FROM BASE AS app\nCOPY a.txt /\n",
         false_build="a stage's name counts: it is the value of TARGETSTAGE"),
    rebuilt("stage-asked-for", option("target", "b"),
            "FROM BASE AS a\nCOPY a.txt /\nFROM BASE AS b\nCOPY b.txt /\n", spec={"target": "a"}),
    same("stage-asked-for-by-name-or-last", option("target", "b"),
         "FROM BASE AS a\nCOPY b.txt /\nFROM BASE AS b\nCOPY a.txt /\n"),
    same("stage-asked-for-by-number", option("target", "1"),
         "FROM BASE AS a\nCOPY b.txt /\nFROM BASE AS b\nCOPY a.txt /\n", spec={"target": "b"}),
    same("stage-asked-for-with-the-same-instructions", option("target", "b"),
         "FROM BASE AS a\nCOPY a.txt /\nFROM BASE AS b\nCOPY a.txt /\n", spec={"target": "a"},
         false_build="a stage's name counts: it is the value of TARGETSTAGE"),
    rebuilt("stage-onbuild", dockerfile("ONBUILD RUN echo one", "ONBUILD RUN echo two"),
            "FROM BASE AS a\nONBUILD RUN echo one NONCE > /out\nFROM a\nCMD x\n"),
    rebuilt("stage-onbuild-file", write("a.txt", "2"),
            "FROM BASE AS a\nONBUILD COPY a.txt /\nFROM a\nCMD x\n"),
    rebuilt("stage-onbuild-of-a-stage-that-is-copied-from", write("a.txt", "2"),
            "FROM BASE AS a\nONBUILD COPY a.txt /\nFROM a AS b\nFROM BASE\nCOPY --from=b /a.txt /\n"),
)  # fmt: skip

_ARG = {"args": {"X": "1"}}
_USED = "FROM BASE\nARG X\nRUN echo $X NONCE > /out\n"

ARGUMENTS = (
    rebuilt("argument-used", argument("X", "2"), _USED, spec=_ARG),
    rebuilt("argument-given", argument("X", "1"), "FROM BASE\nARG X=0\nRUN echo $X NONCE > /out\n"),
    rebuilt("argument-not-given-any-more", without("args"), "FROM BASE\nARG X=0\nRUN echo $X NONCE > /out\n",
            spec=_ARG),
    rebuilt("argument-given-empty", argument("X", ""), _USED, spec=_ARG),
    same("argument-undeclared", argument("Y", "2"), _USED, spec={"args": {"X": "1", "Y": "1"}}),
    same("argument-undeclared-though-named", argument("X", "2"), "FROM BASE\nRUN echo $X NONCE > /out\n",
         spec=_ARG),
    rebuilt("argument-declared-but-not-referenced", argument("X", "2"), "FROM BASE\nARG X\nRUN echo NONCE > /out\n",
            spec=_ARG),
    rebuilt("argument-declared-before-a-copy-only", argument("X", "2"), "FROM BASE\nARG X\nCOPY a.txt /\n",
            spec=_ARG),
    rebuilt("argument-declared-after-its-use", argument("X", "2"),
            "FROM BASE\nRUN echo $X NONCE > /out\nARG X\n", spec=_ARG),
    rebuilt("argument-in-env", argument("X", "2"), "FROM BASE\nARG X\nENV Y=$X\nCOPY a.txt /\n", spec=_ARG),
    rebuilt("argument-hidden-by-env", argument("X", "2"), "FROM BASE\nARG X\nENV X=9\nCOPY a.txt /\n", spec=_ARG),
    rebuilt("argument-in-a-label", argument("X", "2"), "FROM BASE\nARG X\nLABEL y=${X:-3}\nCOPY a.txt /\n",
            spec=_ARG),
    rebuilt("argument-of-a-stage-that-is-built-on", argument("X", "2"),
            "FROM BASE AS a\nARG X\nFROM a\nRUN echo $X NONCE > /out\n", spec=_ARG),
    same("argument-of-another-stage", argument("X", "2"),
         "FROM BASE AS unused\nARG X\nRUN echo $X\nFROM BASE\nRUN echo NONCE > /out\n", spec=_ARG),
    rebuilt("argument-global-in-from", argument("X", "two"), "ARG X=one\nFROM BASE-$X\nCOPY a.txt /\n"),
    same("argument-global-in-from-of-another-stage", argument("X", "two"),
         "ARG X=one\nFROM BASE-$X AS unused\nFROM BASE\nCOPY a.txt /\n"),
    same("argument-global-in-from-with-the-same-result", argument("X", "on"),
         "ARG X=one\nFROM BASE-${X%e}e\nCOPY a.txt /\n"),
    same("argument-global-unused", argument("X", "2"), "ARG X\nFROM BASE\nCOPY a.txt /\n", spec=_ARG),
    rebuilt("argument-global-inherited", argument("X", "2"), "ARG X=0\nFROM BASE\nARG X\nRUN echo $X NONCE > /out\n",
            spec=_ARG),
    rebuilt("argument-global-default-inherited", dockerfile("ARG X=0", "ARG X=9"),
            "ARG X=0\nFROM BASE\nARG X\nRUN echo $X NONCE > /out\n"),
    same("argument-global-default-not-inherited", dockerfile("ARG X=0", "ARG X=9"),
         "ARG X=0\nFROM BASE\nRUN echo $X NONCE > /out\n"),
    rebuilt("argument-global-of-another-global", argument("X", "2"),
            "ARG X=0\nARG Y=$X\nFROM BASE\nARG Y\nRUN echo $Y NONCE > /out\n", spec=_ARG),
    rebuilt("argument-global-against-the-default-of-a-stage", dockerfile("ARG X=1", "ARG X=2"),
            "ARG X=0\nFROM BASE\nARG X=1\nRUN echo $X NONCE > /out\n"),
    same("argument-default-while-overridden", dockerfile("ARG X=0", "ARG X=9"),
         "FROM BASE\nARG X=0\nRUN echo $X NONCE > /out\n", spec=_ARG),
    rebuilt("argument-default-that-counts", dockerfile("ARG X=0", "ARG X=9"),
            "FROM BASE\nARG X=0\nRUN echo $X NONCE > /out\n"),
    same("argument-like-its-default", argument("X", "0"), "FROM BASE\nARG X=0\nRUN echo $X NONCE > /out\n",
         false_build="a value counts apart from a default"),
    rebuilt("argument-default-from-another", argument("Y", "2"),
            "FROM BASE\nARG Y\nARG X=$Y\nRUN echo $X NONCE > /out\n", spec={"args": {"Y": "1"}}),
    rebuilt("argument-twice", argument("X", "2"), "FROM BASE\nARG X\nARG X=5\nRUN echo $X NONCE > /out\n",
            spec=_ARG),
    rebuilt("argument-in-one-instruction-with-others", argument("Y", "2"),
            "FROM BASE\nARG X Y=3 Z\nRUN echo $Y NONCE > /out\n", spec={"args": {"Y": "1"}}),
    rebuilt("argument-with-a-dollar", argument("X", "$${HOME}2"), _USED, spec={"args": {"X": "$${HOME}1"}}),
    rebuilt("argument-selects-a-file", argument("X", "b"), "FROM BASE\nARG X\nCOPY $X.txt /out\n",
            spec={"args": {"X": "a"}}),
    rebuilt("argument-selects-a-file-that-changes", write("b.txt", "2"), "FROM BASE\nARG X\nCOPY $X.txt /out\n",
            spec={"args": {"X": "b"}}),
    same("argument-selects-another-file", write("b.txt", "2"), "FROM BASE\nARG X\nCOPY $X.txt /out\n",
         spec={"args": {"X": "a"}}),
    rebuilt("argument-default-selects-a-file", write("b.txt", "2"), "FROM BASE\nARG X\nCOPY ${X:-b}.txt /out\n"),
    rebuilt("argument-in-a-mount", write("b.txt", "2"),
            "FROM BASE\nARG X\nRUN --mount=type=bind,source=$X.txt,target=/in cat /in > /out\n",
            spec={"args": {"X": "b"}}),
    rebuilt("argument-in-chown", argument("X", "2"), "FROM BASE\nARG X\nCOPY --chown=$X a.txt /out\n", spec=_ARG),
    same("argument-proxy", argument("HTTP_PROXY", "http://2"), "FROM BASE\nRUN echo NONCE $HTTP_PROXY > /out\n",
         spec={"args": {"HTTP_PROXY": "http://1"}}),
    rebuilt("argument-proxy-declared", argument("HTTP_PROXY", "http://2"),
            "FROM BASE\nARG HTTP_PROXY\nRUN echo NONCE $HTTP_PROXY > /out\n",
            spec={"args": {"HTTP_PROXY": "http://1"}}),
    same("argument-proxy-lower-case", argument("no_proxy", "2"), "FROM BASE\nRUN echo NONCE > /out\n",
         spec={"args": {"no_proxy": "1"}}),
    rebuilt("argument-platform-declared", argument("TARGETARCH", "other"),
            "FROM BASE\nARG TARGETARCH\nRUN echo NONCE $TARGETARCH > /out\n"),
    same("argument-platform-not-declared", argument("TARGETARCH", "other"),
         "FROM BASE\nRUN echo NONCE $TARGETARCH > /out\n"),
    rebuilt("argument-stage-name", option("target", "b"),
            "FROM BASE AS a\nARG TARGETSTAGE\nRUN echo NONCE $TARGETSTAGE > /out\nFROM a AS b\n",
            spec={"target": "a"}),
    rebuilt("argument-stage-name-given", argument("TARGETSTAGE", "mine"),
            "FROM BASE AS a\nARG TARGETSTAGE\nRUN echo NONCE $TARGETSTAGE > /out\n"),
    rebuilt("argument-source-date-epoch", argument("SOURCE_DATE_EPOCH", "1700000002"),
            spec={"args": {"SOURCE_DATE_EPOCH": "1700000001"}}),
    rebuilt("argument-source-date-epoch-given", argument("SOURCE_DATE_EPOCH", "1700000002")),
    same("argument-buildkit-hostname", argument("BUILDKIT_SANDBOX_HOSTNAME", "two"),
         spec={"args": {"BUILDKIT_SANDBOX_HOSTNAME": "one"}},
         false_build="all BUILDKIT_ arguments count: they are instructions to BuildKit"),
    rebuilt("argument-buildkit-hostname-of-a-run", argument("BUILDKIT_SANDBOX_HOSTNAME", "two"),
            "FROM BASE\nRUN hostname > /out; echo NONCE\n", spec={"args": {"BUILDKIT_SANDBOX_HOSTNAME": "one"}}),
    rebuilt("argument-buildkit-multi-platform", argument("BUILDKIT_MULTI_PLATFORM", "1")),
    rebuilt("argument-from-env-selects-a-file", dockerfile("ENV X=a", "ENV X=b"),
            "FROM BASE\nENV X=a\nCOPY $X.txt /out\n"),
    rebuilt("file-selected-by-env", write("b.txt", "2"), "FROM BASE\nENV X=b\nCOPY $X.txt /out\n"),
    rebuilt("file-selected-by-env-of-the-base", write("a.txt", "2"), "FROM BASE-one\nCOPY $SRC /out\n"),
    same("file-not-selected-by-env-of-the-base", write("b.txt", "2"), "FROM BASE-one\nCOPY $SRC /out\n",
         false_build="a variable of a base image in a path: the whole context counts"),
    rebuilt("file-selected-by-env-of-a-stage", write("b.txt", "2"),
            "FROM BASE AS a\nENV X=b\nFROM a\nCOPY $X.txt /out\n"),
)  # fmt: skip

CASES: tuple[Case, ...] = (*TEXT, *INSTRUCTIONS, *STAGES, *ARGUMENTS)
