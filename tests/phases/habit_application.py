"""A habit tracker in memory behind the HTTP contract, with faults to order."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from migrator.contracts.http import HttpInDoubt, HttpNotSent, HttpRequest, HttpResponse, TlsFacts
from migrator.secrets import Secret


def plain(value: Any) -> Any:
    """What goes on the wire."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


class HabitApplication:
    """Accounts by e-mail; a token is the signature of an e-mail."""

    def __init__(self, signature: str = "signed-with-the-same-key") -> None:
        self.signature = signature
        self.accounts: dict[str, str] = {}
        self.habits: dict[int, dict[str, Any]] = {}
        self.said: list[str] = []
        self.before: Callable[[HttpRequest], None] = lambda request: None
        self.broken: dict[str, int] = {}
        self._next = 1

    def answer(self, request: HttpRequest) -> HttpResponse:
        """One request's answer."""
        line = f"{request.method} {request.path}"
        self.said.append(line)
        self.before(request)
        status, body = (self.broken[line], {"error": "broken"}) if line in self.broken else self._act(request)
        content = b"" if body is None else json.dumps(body).encode()
        return HttpResponse(
            status, {"content-type": "application/json"}, content, False, 0.012, "203.0.113.80"
        )

    def _act(self, request: HttpRequest) -> tuple[int, Any]:
        sent = plain(request.json) or {}
        path, method = request.path, request.method
        if path == "/health":
            return 200, {"status": "ok", "database": {"connected": True, "pools": [{"free": 3}]}}
        if path == "/api/v1/auth/register":
            if sent["email"] in self.accounts:
                return 409, {"error": "exists"}
            self.accounts[sent["email"]] = sent["password"]
            return 201, {"id": 1, "token": self._token(sent["email"])}
        if path == "/api/v1/auth/login":
            if self.accounts.get(sent["email"]) != sent["password"]:
                return 401, {"error": "no"}
            return 200, {"data": {"token": self._token(sent["email"])}}
        owner = self._owner(str(plain(request.headers.get("Authorization", ""))))
        if owner is None:
            return 401, {"error": "no token"}
        return self._for_owner(owner, method, path, sent)

    def _for_owner(self, owner: str, method: str, path: str, sent: Any) -> tuple[int, Any]:
        if path == "/api/v1/account" and method == "DELETE":
            self.accounts.pop(owner, None)
            self.habits = {k: v for k, v in self.habits.items() if v["owner"] != owner}
            return 204, None
        if path == "/api/v1/habits" and method == "GET":
            return 200, {"data": [h for h in self.habits.values() if h["owner"] == owner]}
        if path == "/api/v1/habits":
            made = {"id": self._next, "owner": owner, **sent}
            self.habits[self._next] = made
            self._next += 1
            return 201, made
        habit = self.habits.get(int(path.split("/")[4]))
        if habit is None:
            return 404, {"error": "no habit"}
        if path.endswith("/completions"):
            return 201, {"habit": habit["id"]}
        if method == "PUT":
            habit.update(sent)
            return 200, habit
        del self.habits[habit["id"]]
        return 204, None

    def _token(self, email: str) -> str:
        return f"{email}~{self.signature}"

    def _owner(self, header: str) -> str | None:
        email, _, signature = header.removeprefix("Bearer ").partition("~")
        return email if signature == self.signature else None


class Net:
    """The HTTP contract over applications by (host, via); unknown ones are not there."""

    def __init__(self, now: datetime = datetime(2026, 1, 3, tzinfo=UTC)) -> None:
        self.applications: dict[tuple[str, str], HabitApplication] = {}
        self.requests: list[HttpRequest] = []
        self.facts: TlsFacts | HttpNotSent = TlsFacts(
            "commonName=Example CA",
            "commonName=api.example.com",
            ("api.example.com",),
            now,
            now + timedelta(days=60),
            "TLSv1.3",
            "203.0.113.80",
        )

    def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        found = self.applications.get((request.host, request.via))
        if found is None:
            raise HttpNotSent("no connection", where=str(request))
        return found.answer(request)

    def tls(self, host: str, *, port: int = 443, via: str = "", timeout: float = 10.0) -> TlsFacts:
        if isinstance(self.facts, HttpNotSent):
            raise self.facts
        return self.facts


def cut(_: HttpRequest) -> None:
    """A connection that ends before the answer."""
    raise HttpInDoubt("the answer did not arrive")
