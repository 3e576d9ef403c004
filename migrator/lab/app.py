"""The application of the rehearsal: one small HTTP service, as backend or as frontend, old or new.

Run as `python -m migrator.lab.app CONFIG`, CONFIG a private JSON file:
{"role": "backend"|"frontend", "label", "environment": {DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, JWT_SECRET,
API_URL}, "database_port": loopback port of DB_HOST:DB_PORT, "ready_file"}.

The backend uses these tables of its database, in whatever schema they are (found through the search path first,
then anywhere); columns not named here need defaults or may be null:
  users(id generated, email text unique, password_hash text)
  habits(id generated, user_id, name text)
  completions(id generated, habit_id, client_ref uuid, completed_on date, note text)  -- client_ref is not unique
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from migrator.lab import guard
from migrator.lab.children import follow_parent

POOL_SIZE = 4
STATEMENT_SECONDS = 5
CONNECT_SECONDS = 3
TOKEN_SECONDS = 86_400
TABLES = ("users", "habits", "completions")


class Refused(Exception):
    """An answer other than success: status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Pool:
    """A few connections to the database, made when needed, thrown away when they fail."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self._parameters: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "dbname": environment["DB_NAME"],
            "user": environment["DB_USER"],
            "password": environment["DB_PASSWORD"],
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "habitcraft",
            "options": f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c lock_timeout=2000",
        }
        self._slots: queue.LifoQueue[psycopg.Connection[Any] | None] = queue.LifoQueue()
        for _ in range(POOL_SIZE):
            self._slots.put(None)
        self._schema: str | None = None

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection in a transaction of its own: committed at the end, rolled back and dropped on an error."""
        try:
            found = self._slots.get(timeout=STATEMENT_SECONDS)
        except queue.Empty:
            raise Refused(503, "all database connections are in use") from None
        keep: psycopg.Connection[Any] | None = None
        try:
            if found is None or found.closed:
                found = psycopg.connect(**self._parameters)
            yield found
            found.commit()
            keep = found
        except psycopg.Error as error:
            if found is not None:
                with suppress(psycopg.Error):
                    found.close()
            raise Refused(503, f"database: {type(error).__name__}") from error
        except Refused:
            if found is not None:
                with suppress(psycopg.Error):
                    found.rollback()
                    keep = found
            raise
        finally:
            self._slots.put(keep)

    def table(self, connection: psycopg.Connection[Any], name: str) -> sql.Composable:
        """A table's full name; 503 when the database does not hold the application's tables (yet)."""
        if self._schema is None:
            row = connection.execute(
                "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relname = 'completions' AND c.relkind IN ('r', 'p')"
                " ORDER BY pg_table_is_visible(c.oid) DESC LIMIT 1"
            ).fetchone()
            if row is None:
                raise Refused(503, "the application's tables are missing")
            self._schema = str(row[0])
        return sql.Identifier(self._schema, name)


class Backend:
    """The interface's operations; each takes what it needs and returns status and document."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self._pool = Pool(environment, port)
        self._key = environment["JWT_SECRET"].encode()

    def health(self) -> tuple[int, Any]:
        """Whether the database answers."""
        with self._pool.connection() as connection:
            connection.execute("SELECT 1")
        return 200, {"status": "ok", "database": "ok"}

    def register(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Create a user."""
        email, password = _text(body, "email"), _text(body, "password")
        with self._pool.connection() as connection:
            users = self._pool.table(connection, "users")
            known = connection.execute(
                sql.SQL("SELECT id FROM {} WHERE email = %s").format(users), [email]
            ).fetchone()
            if known:
                raise Refused(409, "this address is registered")
            row = connection.execute(
                sql.SQL("INSERT INTO {} (email, password_hash) VALUES (%s, %s) RETURNING id").format(users),
                [email, _hash(password)],
            ).fetchone()
        assert row is not None
        return 201, {"id": row[0], "token": self._token(row[0])}

    def login(self, body: dict[str, Any]) -> tuple[int, Any]:
        """A token for the right password."""
        with self._pool.connection() as connection:
            users = self._pool.table(connection, "users")
            row = connection.execute(
                sql.SQL("SELECT id, password_hash FROM {} WHERE email = %s").format(users),
                [_text(body, "email")],
            ).fetchone()
        if row is None or not hmac.compare_digest(str(row[1]), _hash(_text(body, "password"))):
            raise Refused(401, "wrong address or password")
        return 200, {"token": self._token(row[0])}

    def habits(self, user: int) -> tuple[int, Any]:
        """The user's habits."""
        with self._pool.connection() as connection:
            habits = self._pool.table(connection, "habits")
            rows = connection.execute(
                sql.SQL("SELECT id, name FROM {} WHERE user_id = %s ORDER BY id LIMIT 50").format(habits),
                [user],
            ).fetchall()
        return 200, [{"id": row[0], "name": row[1]} for row in rows]

    def create_habit(self, user: int, body: dict[str, Any]) -> tuple[int, Any]:
        """Add a habit."""
        with self._pool.connection() as connection:
            habits = self._pool.table(connection, "habits")
            row = connection.execute(
                sql.SQL("INSERT INTO {} (user_id, name) VALUES (%s, %s) RETURNING id").format(habits),
                [user, _text(body, "name")],
            ).fetchone()
        assert row is not None
        return 201, {"id": row[0]}

    def rename_habit(self, user: int, habit: int, body: dict[str, Any]) -> tuple[int, Any]:
        """Change a habit's name."""
        with self._pool.connection() as connection:
            habits = self._pool.table(connection, "habits")
            statement = sql.SQL("UPDATE {} SET name = %s WHERE id = %s AND user_id = %s").format(habits)
            if connection.execute(statement, [_text(body, "name"), habit, user]).rowcount == 0:
                raise Refused(404, "no such habit")
        return 200, {"id": habit}

    def delete_habit(self, user: int, habit: int) -> tuple[int, Any]:
        """Remove a habit with its completions."""
        with self._pool.connection() as connection:
            habits, completions = (self._pool.table(connection, name) for name in ("habits", "completions"))
            own = sql.SQL("SELECT id FROM {} WHERE id = %s AND user_id = %s").format(habits)
            if connection.execute(own, [habit, user]).fetchone() is None:
                raise Refused(404, "no such habit")
            connection.execute(sql.SQL("DELETE FROM {} WHERE habit_id = %s").format(completions), [habit])
            connection.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(habits), [habit])
        return 200, {}

    def complete(self, user: int, habit: int, body: dict[str, Any]) -> tuple[int, Any]:
        """Record a completion once for its write id; 201 is said only after the commit."""
        reference = _text(body, "client_ref")
        with self._pool.connection() as connection:
            habits, completions = (self._pool.table(connection, name) for name in ("habits", "completions"))
            own = sql.SQL("SELECT id FROM {} WHERE id = %s AND user_id = %s").format(habits)
            if connection.execute(own, [habit, user]).fetchone() is None:
                raise Refused(404, "no such habit")
            # two tries of the same write must not both find nothing
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [reference])
            known = sql.SQL("SELECT 1 FROM {} WHERE habit_id = %s AND client_ref = %s").format(completions)
            if connection.execute(known, [habit, reference]).fetchone() is None:
                connection.execute(
                    sql.SQL(
                        "INSERT INTO {} (habit_id, client_ref, completed_on, note) VALUES (%s, %s, current_date, %s)"
                    ).format(completions),
                    [habit, reference, str(body.get("note", ""))[:200]],
                )
        return 201, {"client_ref": reference}

    def delete_account(self, user: int) -> tuple[int, Any]:
        """Remove a user with everything."""
        with self._pool.connection() as connection:
            users, habits, completions = (self._pool.table(connection, name) for name in TABLES)
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE habit_id IN (SELECT id FROM {} WHERE user_id = %s)").format(
                    completions, habits
                ),
                [user],
            )
            connection.execute(sql.SQL("DELETE FROM {} WHERE user_id = %s").format(habits), [user])
            connection.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(users), [user])
        return 200, {}

    def user_of(self, header: str) -> int:
        """The user a bearer token names; 401 when it is not ours or too old."""
        parts = header.removeprefix("Bearer ").split(".")
        if len(parts) != 3 or not hmac.compare_digest(self._sign(f"{parts[0]}.{parts[1]}"), parts[2]):
            raise Refused(401, "the token is not valid")
        claims = json.loads(_unpack(parts[1]))
        if claims.get("exp", 0) < time.time():
            raise Refused(401, "the token has expired")
        return int(claims["sub"])

    def _token(self, user: int) -> str:
        head = _pack({"alg": "HS256", "typ": "JWT"})
        claims = _pack({"sub": str(user), "exp": int(time.time()) + TOKEN_SECONDS})
        return f"{head}.{claims}.{self._sign(f'{head}.{claims}')}"

    def _sign(self, content: str) -> str:
        digest = hmac.new(self._key, content.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _operation(
    app: Backend, method: str, path: str, user: Callable[[], int], body: dict[str, Any]
) -> tuple[int, Any] | None:
    """What a signed-in user asks for; None when there is no such path."""
    if path == "/api/v1/habits":
        if method == "GET":
            return app.habits(user())
        if method == "POST":
            return app.create_habit(user(), body)
    if (method, path) == ("DELETE", "/api/v1/account"):
        return app.delete_account(user())
    found = re.fullmatch(r"/api/v1/habits/(\d{1,18})(/completions)?", path)
    if found is None:
        return None
    habit = int(found[1])
    if found[2]:
        return app.complete(user(), habit, body) if method == "POST" else None
    if method == "PUT":
        return app.rename_habit(user(), habit, body)
    return app.delete_habit(user(), habit) if method == "DELETE" else None


def answer(app: Backend, method: str, path: str, authorization: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Find the operation for a request and perform it; raises Refused."""
    if (method, path) == ("GET", "/health"):
        return app.health()
    if (method, path) == ("POST", "/api/v1/auth/register"):
        return app.register(body)
    if (method, path) == ("POST", "/api/v1/auth/login"):
        return app.login(body)
    found = _operation(app, method, path, lambda: app.user_of(authorization), body)
    if found is not None:
        return found
    raise Refused(404, "no such path")


class _Handler(BaseHTTPRequestHandler):
    app: Backend | None = None
    label = ""
    page = b""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing a request."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        path = self.path.split("?")[0]
        if self.app is None:
            found = path in ("/", "/health")
            self._reply(
                200 if found else 404, "text/html; charset=utf-8", self.page if found else b"not found"
            )
            return
        try:
            body = json.loads(raw or b"{}")
            if not isinstance(body, dict):
                raise Refused(400, "the body must be an object")
            status, document = answer(
                self.app, self.command, path, self.headers.get("Authorization", ""), body
            )
        except Refused as refusal:
            status, document = refusal.status, {"error": str(refusal)}
        except ValueError:
            status, document = 400, {"error": "the request is not valid"}
        self._reply(status, "application/json", json.dumps(document).encode())

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Served-By", self.label)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""


def main(arguments: list[str]) -> None:
    """Serve on a free loopback port, written to the ready file."""
    follow_parent()
    guard.install_from_environment()
    config: dict[str, Any] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    environment = config["environment"]
    _Handler.label = config["label"]
    if config["role"] == "backend":
        _Handler.app = Backend(environment, int(config["database_port"]))
    else:
        _Handler.page = (
            f"<!doctype html><title>Habits</title><p>API: {environment.get('API_URL', '')}</p>".encode()
        )
    server = _Server(("127.0.0.1", 0), _Handler)
    ready = Path(config["ready_file"])
    part = ready.with_suffix(".part")
    part.write_text(str(server.server_port), encoding="utf-8")
    part.replace(ready)
    server.serve_forever(poll_interval=5)


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value or len(value) > 300:
        raise Refused(400, f"{key} is missing")
    return value


def _hash(password: str) -> str:
    return hashlib.sha256(b"habit:" + password.encode()).hexdigest()


def _pack(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    main(sys.argv[1:])
