"""What is refused before anything is read, and that scalars stay the text that was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from migrator.errors import InvalidRunbook
from migrator.loading import yaml_positions
from migrator.loading.problems import Place, Problems
from migrator.loading.runbook import load_runbook
from migrator.loading.yaml_positions import MAX_BYTES, Items, Node, Table, Text, parse
from tests.loading.books import told


def read(data: bytes) -> tuple[Node | None, list[str]]:
    problems = Problems("f")
    node = parse(data, problems)
    return node, [str(problem)[2:] for problem in sorted(problems.found)]


@pytest.fixture(params=["C", "Python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "Python":
        monkeypatch.setattr(yaml_positions, "_LOADER", yaml.SafeLoader)
    return str(request.param)


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (b"", ["1:1: the file is empty"]),
        (b"# only a comment\n", ["1:1: the file is empty"]),
        (b"a: 1\nb: 2\na: 3\n", ["3:1: the key 'a' stands here twice; first in line 1"]),
        (b"a: {b: 1, b: 2}\n", ["1:11: the key 'b' stands here twice; first in line 1"]),
        (
            b"a: &x [1]\nb: *x\n",
            [
                "1:4: the anchor &x is not allowed; write the value out",
                "2:4: the alias *x is not allowed; write the value out",
            ],
        ),
        (b"<<: {a: 1}\n", ["1:1: the merge key << is not allowed; write the values out"]),
        (b"a: !!int 3\n", ["1:4: the tag 'tag:yaml.org,2002:int' is not allowed"]),
        (b"a: !run x\n", ["1:4: the tag '!run' is not allowed"]),
        (b"a: 1\n---\nb: 2\n", ["2:1: a second document starts here; a file holds one"]),
        (b"? [a]\n: b\n", ["1:3: a key must be a text"]),
        (b"'': b\n", ["1:1: a key is empty"]),
        (b"a: caf\xc3\xa9 \xff\n", ["1:9: byte 0xff is not valid UTF-8"]),
        ("a: é\u202e\nb: \x07\n".encode(), ["1:5: the control or invisible character U+202E is not allowed",
                                            "2:4: the control or invisible character U+0007 is not allowed"]),
        (b'a: "\\e]52;c;x"\n', ["1:4: the control or invisible character U+001B is not allowed"]),
        ("a: b\u200bc\n".encode(), ["1:5: the control or invisible character U+200B is not allowed"]),
        (b"\xef\xbb\xbfa: b\n", ["1:1: the control or invisible character U+FEFF is not allowed"]),
        (b"a: b\rc\n", ["1:5: the control or invisible character U+000D is not allowed"]),
        (b"a: " + b"[" * 25 + b"]" * 25, ["1:23: nested more than 20 deep"]),
        (b"a: " + b"x" * MAX_BYTES, [f"1:1: the file is larger than {MAX_BYTES} bytes"]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("loader")
def test_refused(data: bytes, problems: list[str]) -> None:
    assert read(data)[1] == problems


@pytest.mark.usefixtures("loader")
def test_scalars_stay_as_written_and_know_their_place() -> None:
    node, problems = read("a: no\r\nb: [1.10, '22:22']\r\nc:\n  ü: 007\n".encode())
    assert not problems
    assert node == Table(
        Place(1, 1),
        {
            "a": Text(Place(1, 4), "no"),
            "b": Items(Place(2, 4), (Text(Place(2, 5), "1.10"), Text(Place(2, 11), "22:22", plain=False))),
            "c": Table(Place(4, 3), {"ü": Text(Place(4, 6), "007")}, {"ü": Place(4, 3)}),
        },
        {"a": Place(1, 1), "b": Place(2, 1), "c": Place(3, 1)},
    )


def test_syntax_error_names_where_it_began() -> None:
    assert read(b"a: 1\nb: 'x\n")[1] == [
        "3:1: not valid YAML: while scanning a quoted scalar that began in line 2: found unexpected end of stream"
    ]


def test_deep_nesting_of_any_kind_does_not_exhaust_the_stack(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "- " * 100_000, "{a: " * 50_000, "? " * 50_000):
        assert told(tmp_path, text)


def test_an_unreadable_file_is_a_problem_of_the_whole_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidRunbook) as caught:
        load_runbook(tmp_path / "missing.yaml", {}, None)
    assert [(p.line, p.column, p.message) for p in caught.value.problems] == [
        (0, 0, "cannot be read: No such file or directory")
    ]
