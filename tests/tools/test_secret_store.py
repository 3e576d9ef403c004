"""Secrets by reference, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.aws import AwsRefused
from migrator.errors import Refused
from migrator.secrets import Secret
from migrator.tools.reach import DirectReach, LabReach
from migrator.tools.secret_store import ReferencedSecrets
from tests.tools.aws_servers import answering


class OneSecret:
    """An AWS that holds one secret, under the name `shop/database`."""

    account = region = ""

    def __init__(self, text: str) -> None:
        self.text = text

    def call(
        self, service: str, operation: str, *, region: str | None = None, **given: Any
    ) -> dict[str, Any]:
        if given["SecretId"] != "shop/database":
            raise AwsRefused("AWS refused", code="ResourceNotFoundException")
        return {"SecretString": self.text}

    def pages(self, service: str, operation: str, key: str, **given: Any) -> Iterator[Any]:
        raise NotImplementedError


def store(text: str = "", **environment: str) -> ReferencedSecrets:
    return ReferencedSecrets(OneSecret(text), environment)


def written(path: Path, content: bytes, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return f"file:{path}"


def test_from_the_environment() -> None:
    assert store(DB_PASSWORD="correct horse").resolve("env:DB_PASSWORD") == Secret("correct horse")


def test_from_a_file_without_its_last_newline(tmp_path: Path) -> None:
    assert store().resolve(written(tmp_path / "p", b" battery staple \n")) == Secret(" battery staple ")


def test_from_secrets_manager() -> None:
    text = json.dumps({"password": "correct horse", "port": 5432})
    assert store(text).resolve("aws:shop/database#password") == Secret("correct horse")
    assert store(text).resolve("aws:shop/database#port") == Secret("5432")
    assert store("plain text").resolve("aws:shop/database") == Secret("plain text")


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"secret", 0o640, "others can read"),
        (b"secret", 0o604, "others can read"),
        (b"", 0o600, "empty"),
        (b"\xff\xfe", 0o600, "not UTF-8"),
        (b"x" * 70_000, 0o600, "larger"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, content: bytes, mode: int, why: str) -> None:
    with pytest.raises(Refused, match=why):
        store().resolve(written(tmp_path / "p", content, mode))


def test_an_open_file_is_answered_with_chmod(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        store().resolve(written(tmp_path / "p", b"secret", 0o644))
    assert caught.value.next == f"chmod 600 {tmp_path / 'p'}"


def test_a_pipe_or_folder_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "", "missing"):
        with pytest.raises(Refused):
            store().resolve(f"file:{tmp_path / name}")


@pytest.mark.parametrize(
    ("text", "reference", "why"),
    [
        ("{}", "aws:shop/other#password", "no such secret"),
        ("{}", "aws:shop/database#password", "no value under the key"),
        ("[]", "aws:shop/database#password", "not a JSON object"),
        ("not JSON", "aws:shop/database#password", "not a JSON object"),
        ("", "aws:shop/database", "no text"),
        ("", "env:MISSING", "not set"),
    ],
)
def test_references_that_lead_nowhere(text: str, reference: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        store(text).resolve(reference)


def test_what_is_not_a_reference_is_not_repeated() -> None:
    with pytest.raises(Refused) as caught:
        store().resolve("hunter2hunter2")
    assert "hunter2" not in str(caught.value)


def test_direct_reach() -> None:
    assert DirectReach().route("db.example.com", 5432) == ("db.example.com", 5432)


def test_the_twins_map_is_asked_once_with_the_token() -> None:
    tokens: list[str] = []

    def answer(handler: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        tokens.append(handler.headers["Authorization"])
        if "db.example.com" in handler.path:
            return 200, {}, b'{"host": "127.0.0.1", "port": 5001}'
        return 404, {}, b"{}"

    with answering(answer) as (url, seen):
        reach = LabReach(url, Secret("control-token"))
        assert reach.route("DB.example.com.", 5432) == ("127.0.0.1", 5001)
        assert reach.route("db.example.com", 5432) == ("127.0.0.1", 5001)
        with pytest.raises(Refused, match=r"no route to other\.example\.com:1"):
            reach.route("other.example.com", 1)
    assert seen[0] == "GET /route?host=db.example.com&port=5432"
    assert len(seen) == 2
    assert tokens[0] == "Bearer control-token"


def test_a_dead_twin() -> None:
    with pytest.raises(Refused, match="does not answer"):
        LabReach("http://127.0.0.1:9", Secret("control-token")).route("db.example.com", 1)
