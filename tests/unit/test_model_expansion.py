"""Expansion, against the vectors of BuildKit (its shell/envVarTest, wordsTest and lex_test.go)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.expansion import Expansion, ExpansionError, expand, expansion, shell_words

ERROR = None
SCOPE = {"PWD": "/home", "SHELL": "bash", "KOREAN": "한국어", "NULL": ""}
# One case a line: the text, blanks, what BuildKit makes of it (nothing, a word, or `error`).
ENV_VAR_TEST = r"""
hello                    hello
he'll'o                  hello
he'llo                   error
he\'llo                  he'llo
he\\'llo                 error
abc\tdef                 abctdef
"abc\tdef"               abc\tdef
"abc\\tdef"              abc\tdef
'abc\tdef'               abc\tdef
hello\                   hello
hello\\                  hello\
"hello                   error
"hello\"                 error
"hel'lo"                 hel'lo
'hello                   error
'hello\'                 hello\
'hello\there'            hello\there
'hello\\there'           hello\\there
"''"                     ''
$.                       $.
he$1x                    hex
he$.x                    he$.x
he$pwd.                  he.
he$PWD                   he/home
he\$PWD                  he$PWD
he\\$PWD                 he\/home
"he\$PWD"                he$PWD
"he\\$PWD"               he\/home
\${}                     ${}
\${}aaa                  ${}aaa
he\${}                   he${}
he\${}xx                 he${}xx
${}                      error
${}aaa                   error
he${}                    error
he${}xx                  error
he${hi}                  he
he${hi}xx                hexx
he${PWD}                 he/home
he${.}                   error
he${XXX:-000}xx          he000xx
he${PWD:-000}xx          he/homexx
he${XXX:-$PWD}xx         he/homexx
he${XXX:-${PWD:-yyy}}xx  he/homexx
he${XXX:-${YYY:-yyy}}xx  heyyyxx
he${XXX:YYY}             error
he${XXX?}                error
he${XXX:?}               error
he${PWD?}                he/home
he${PWD:?}               he/home
he${NULL?}               he
he${NULL:?}              error
he${XXX:+${PWD}}xx       hexx
he${PWD:+${XXX}}xx       hexx
he${PWD:+${SHELL}}xx     hebashxx
he${XXX:+000}xx          hexx
he${PWD:+000}xx          he000xx
'he${XX}'                he${XX}
"he${PWD}"               he/home
"he'$PWD'"               he'/home'
"$PWD"                   /home
'$PWD'                   $PWD
'\$PWD'                  \$PWD
'"hello"'                "hello"
'he\$PWD'                he\$PWD
he${PWD                  error
he${PWD:=000}xx          error
he${PWD:+${PWD}:}xx      he/home:xx
he${XXX:-\$PWD:}xx       he$PWD:xx
he${XXX:-\${PWD}z}xx     he${PWDz}xx
$KOREAN                  한국어
he$KOREAN                he한국어
${{aaa}                  error
${aaa}}                  }
${aaa                    error
${{aaa:-bbb}             error
${aaa:-bbb}}             bbb}
${aaa:-bbb               error
${aaa:-bbb}              bbb
${aaa:-${bbb:-ccc}}      ccc
${:}                     error
${:-bbb}                 error
${:+bbb}                 error
$@@@                     @@
""".strip()
SPECIAL = [*map(str, range(10)), "999", "001", *"@*#?-$!"]
LINES = [line.partition(" ")[::2] for line in ENV_VAR_TEST.splitlines()]
CASES = [
    *((text, ERROR if wanted.strip() == "error" else wanted.strip()) for text, wanted in LINES),
    ("${aaa:-bbb ${foo}", ERROR),
    ("${aaa:-bbb {foo}", "bbb {foo"),
    *((template.replace("1", name), "") for name in SPECIAL for template in ("$1", "${1}", "${1:+bbb}")),
    *(("${1:-bbb}aaa".replace("1", name), "bbbaaa") for name in SPECIAL),
    *(("${1:+bbb}aaa".replace("1", name), "aaa") for name in SPECIAL),
    *(("$1aaa".replace("1", name), "aaa") for name in SPECIAL),
]


@pytest.mark.parametrize(("text", "wanted"), CASES)
@pytest.mark.parametrize("beginning", ["he", "안녕"])
def test_words_of_buildkit(text: str, wanted: str | None, beginning: str) -> None:
    text = text.replace("he", beginning)
    if wanted is ERROR:
        with pytest.raises(ExpansionError):
            expand(text, SCOPE)
    else:
        assert expand(text, SCOPE) == wanted.replace("he", beginning)


VARIABLES = {"space": "abc  def", "leading": "  ab c", "trailing": "ab c   ", "hi": "hi"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hello", ["hello"]),
        ("hello${no}bye", ["hellobye"]),
        ("hello${hi}bye", ["hellohibye"]),
        ("hello${space}bye", ["helloabc", "defbye"]),
        ('hello"${space}"bye', ["helloabc  defbye"]),
        ('hello "${space}"bye', ["hello", "abc  defbye"]),
        ("hello${leading}def", ["hello", "ab", "cdef"]),
        ('hello"${leading}" def', ["hello  ab c", "def"]),
        ('hello"${leading}"', ["hello  ab c"]),
        ("hello${leading}", ["hello", "ab", "c"]),
        ("hello${trailing}", ["helloab", "c"]),
        ("hello${trailing}d", ["helloab", "c", "d"]),
        ('hello"${trailing}"d', ["helloab c   d"]),
        ('hel"lo${trailing}"', ["helloab c   "]),
        ('hello" there  "', ["hello there  "]),
        ("hello there", ["hello", "there"]),
        (r"hello\ there", ["hello there"]),
        ('hello" there', ERROR),
        (r"hello\" there", ['hello"', "there"]),
        (r'hello"\\there"', [r"hello\there"]),
        (r'hello"\there"', [r"hello\there"]),
        (r"hello'\\there'", [r"hello\\there"]),
        (r"hello'\there'", [r"hello\there"]),
        ("hello'$there'", ["hello$there"]),
        # Not from there: an empty word is none, and a ${x:-y} loses what stood before it in its word.
        ("'' \"\"", []),
        ("a${no:-b}c", ["bc"]),
    ],
)
def test_splitting_of_buildkit(text: str, wanted: list[str] | None) -> None:
    if wanted is ERROR:
        with pytest.raises(ExpansionError):
            shell_words(text, VARIABLES)
    else:
        assert shell_words(text, VARIABLES) == tuple(wanted)


XXX = {"FOO": "xxx", "BAR": ""}


@pytest.mark.parametrize(
    ("text", "scope", "wanted", "found", "missing"),
    [
        ("x", XXX, "x", "", ""),
        ("x ${UNUSED}", XXX, "x ", "", "UNUSED"),
        ("x ${FOO}", {"FOO": "y"}, "x y", "FOO", ""),
        ("${FOO-aaa} ${BAR-bbb} ${BAZ-ccc}", XXX, "xxx  ccc", "FOO BAR", "BAZ"),
        ("${FOO:-aaa} ${BAR:-bbb} ${BAZ:-ccc}", XXX, "xxx bbb ccc", "FOO BAR", "BAZ"),
        ("${FOO:-}", XXX, "xxx", "FOO", ""),
        ("${FOO:-}", {}, "", "", "FOO"),
        ("${FOO+aaa} ${BAR+bbb} ${BAZ+ccc}", XXX, "aaa bbb ", "FOO BAR", "BAZ"),
        ("${FOO:+aaa} ${BAR:+bbb} ${BAZ:+ccc}", XXX, "aaa  ", "FOO BAR", "BAZ"),
        ("${FOO?aaa}", XXX, "xxx", "FOO", ""),
        ("${BAR?bbb}", XXX, "", "BAR", ""),
        ("${FOO:?aaa}", XXX, "xxx", "FOO", ""),
        (r"${FOO#()[]{\}^$.\*\?|\\}", {"FOO": "()[]{}^$.*?|\\x"}, "x", "FOO", ""),
        (r"${FOO%%\**}", {"FOO": "xx**"}, "xx", "FOO", ""),
        ("${FOO#*x*y}", {"FOO": "xxyy"}, "y", "FOO", ""),
        ("${FOO#*}", {"FOO": "xxyy"}, "xxyy", "FOO", ""),
        ("${FOO#$BAR}", {"FOO": "xxyy", "BAR": "x"}, "xyy", "FOO BAR", ""),
        ("${FOO#$BAR}", {"FOO": "xxyy", "BAR": ""}, "xxyy", "FOO BAR", ""),
        ("${FOO#}", {"FOO": "xxyy"}, "xxyy", "FOO", ""),
        ("${FOO##*x}", {"FOO": "xxyy"}, "yy", "FOO", ""),
        ("${FOO##}", {"FOO": "xxyy"}, "xxyy", "FOO", ""),
        (r"${FOO#?\?}", {"FOO": "???y"}, "?y", "FOO", ""),
        ("${ABC:-.}${FOO%x}${ABC:-.}", {"FOO": "xxyy"}, ".xxyy.", "FOO", "ABC"),
        (r"${FOO%%\**\*}", {"FOO": "a***yy*"}, "a", "FOO", ""),
        ("${FOO%}", {"FOO": "xxyy"}, "xxyy", "FOO", ""),
        ("${FOO%%$BAR}", {"FOO": "xxyy", "BAR": ""}, "xxyy", "FOO BAR", ""),
        (
            "${FOO/$N/.} - ${FOO//$N/.}",
            {"FOO": "/foo*/*/*.txt", "N": r"\*/"},
            "/foo.*/*.txt - /foo..*.txt",
            "FOO N",
            "",
        ),
        ("${F/$N/} - ${F//$N/}", {"F": "/opt/opt/b", "N": "/opt"}, "/opt/b - /b", "F N", ""),
        ("${F/$N/$R} - ${F//$N/$R}", {"F": "/a/f/b/c", "N": "/?/", "R": "/"}, "/f/b/c - /f/c", "F N R", ""),
        ("${F/$N/$R}", {"F": "http://g.de", "N": "http://", "R": "https://"}, "https://g.de", "F N R", ""),
        (r"${FOO//\//\/}", {"FOO": "/opt/foo.txt"}, r"\/opt\/foo.txt", "FOO", ""),
        ("${FOO/$BAR/ww}", {"FOO": "xxyy", "BAR": ""}, "wwxxyy", "FOO BAR", ""),
        ("${FOO///}", {"FOO": "xxyy"}, "xxyy", "FOO", ""),
        ("${FOO///}", {}, "", "", "FOO"),
        ("${FOO%a\\*c}|${FOO%\\*c}", {"FOO": "xa*c"}, "x|xa", "FOO", ""),
        # Not from there; those with // were asked of an engine.
        ("${A:-$B}", {"A": "1", "B": "2"}, "1", "A B", ""),
        ("${A:-$B}", {"A": "1"}, "1", "A", "B"),
        (r"${F//X/\$0}|${F//X/[$0]}|${F//*/-}", {"F": "aXb"}, r"a\Xb|a[]b|-", "F", "0"),
        ("${F//X/$Y}", {"F": "aXb", "Y": "<$0$$${0}$z${z$>"}, "a<X$X${z$>b", "F Y", ""),
        ("${F/X/$Y}", {"F": "aXb", "Y": "$0"}, "a$0b", "F Y", ""),
        ("${F//$E/-}", {"F": "ab", "E": ""}, "-a-b-", "F E", ""),
        ("$a²|${a}é|$aé", {"a": "1"}, "1²|1é|", "a", "aé"),
        ("\ufeff$a", {"a": "1"}, "1", "a", ""),
        ("${a%.*}|${a%%.*}|${a#*.}|${a##*.}", {"a": "1.2.t"}, "1.2|1|2.t|t", "a", ""),
        ("${+x}${/a/b}", {}, "", "", " "),
    ],
)
def test_variables_that_an_expansion_took(
    text: str, scope: dict[str, str], wanted: str, found: str, missing: str
) -> None:
    not_there = frozenset(missing.split(" ")) if missing else frozenset()
    assert expansion(text, scope) == Expansion(wanted, not_there | frozenset(found.split()), not_there)


@pytest.mark.parametrize(
    "text",
    [
        *("${BAZ?ccc}", "${BAR:?bbb}", "${BAZ:?ccc}", "${BAZ:?}", "${FOO=aaa}", "${FOO=:aaa}", "${FOO=}"),
        *("${FOO:#}", "${FOO:##}", "${FOO:%}", "${FOO:%%}", "${FOO//ww}", "${FOO//}", "${NO:=a}", "${NO:"),
        *("${FOO#\\x}", "${FOO#\\", "${FOO#a\\\\\\b}", "${FOO/a/b", "${", "${ }"),
        "${a:-" * 5000,
    ],
)
def test_what_can_not_be_expanded(text: str) -> None:
    with pytest.raises(ExpansionError):
        expand(text, XXX)


def test_the_message_of_a_needed_variable_is_expanded() -> None:
    with pytest.raises(ExpansionError, match="VAR: message herex"):
        expand("${VAR:?message here$ARG}", {"VAR": "", "ARG": "x"})


def test_another_escape_character() -> None:
    assert expand(r"c:\$V `$V \x", {"V": "1"}, "`") == r"c:\1 $V \x"
    assert expand('"`"\\`$`x"', {}, "`") == '"\\$`x'


def test_here_documents_keep_their_quotes() -> None:
    assert expansion('it\'s "$V" \\$V\n', {"V": "1"}, quotes=False).text == 'it\'s "1" $V\n'


@given(st.text("ab${}:-+%#/?*.\\\"'`<=@1 \n"), st.sampled_from("\\`"))
def test_any_text_expands_or_is_an_expansion_error(text: str, escape: str) -> None:
    try:
        found = expansion(text, {"a": "b"}, escape)
    except ExpansionError:
        return
    assert found.missing <= found.names
    assert found.missing == found.names - {"a"}


@given(st.text().filter(lambda text: not set(text) & set("$'\"\\\ufeff")))
def test_text_without_signs_stays(text: str) -> None:
    assert expand(text, {}) == text


@given(st.text().filter(lambda text: "'" not in text))
def test_single_quotes_keep_everything(text: str) -> None:
    assert expand(f"'{text}'", {}) == text


@given(st.text(), st.text("abc_", min_size=1))
def test_values_are_not_expanded_again(value: str, name: str) -> None:
    assert expand(f"${name}|${{{name}}}", {name: value}) == f"{value}|{value}"
