"""db_migration.application_role: the role that the new application logs in with; its password is in no file of ours."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from migrator.contracts.action import ActionSpec, Check, Preview, Probe, Verdict, Verification
from migrator.contracts.aws import AwsRefused
from migrator.contracts.context import StepContext
from migrator.contracts.postgres import Database, PostgresRefused, Session, identifier, literal
from migrator.errors import Refused
from migrator.model.runbook import EffectClass
from migrator.secrets import Secret
from phases.db_migration.doubt import effects_begun

_PASSWORD_BYTES = 32
_ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT"
_NOT_THERE = ("ResourceNotFoundException", "InvalidRequestException")


@dataclass(frozen=True)
class ApplicationRoleParams:
    """`target` is the master user on the maintenance database; `database` is the name that the secret tells."""

    target: Database
    database: str
    role: str
    secret_arn: str


class ApplicationRole:
    """Password into Secrets Manager first, under a token made from the step's key; only then to the role."""

    spec = ActionSpec(
        name="db_migration.application_role",
        summary="Makes the application's role on the target, with a new password in Secrets Manager",
        effect=EffectClass.TOKEN,
        params=ApplicationRoleParams,
        outputs={
            "role": "The role",
            "secret_arn": "The secret that holds its password",
            "secret_version": "The version of that secret which this step wrote",
        },
    )

    def preview(self, ctx: StepContext[ApplicationRoleParams]) -> Preview:
        """A secret version and a role."""
        return Preview(
            (
                f"write a new password to {ctx.params.secret_arn}",
                f"create the role {ctx.params.role} with that password",
            )
        )

    def probe(self, ctx: StepContext[ApplicationRoleParams]) -> Probe:
        """Secret version and role, each ours or not there."""
        version = _read_version(ctx)
        with ctx.tools.postgres.connect(ctx.params.target, read_only=True) as session:
            comment = _comment(session, ctx.params.role)
        if comment is not None and comment != _mark(ctx):
            return Probe(Verdict.FOREIGN, f"the role {ctx.params.role} was not made by this step")
        if comment is None:
            if version is None:
                return Probe(Verdict.ABSENT, "neither secret version nor role is there")
            return Probe(Verdict.PARTIAL, "the password is stored, the role is not there")
        if version is None:
            return Probe(Verdict.PARTIAL, "the role is there, its password is not stored")
        if _login_works(ctx, version):
            return Probe(Verdict.OURS, "the role logs in with the stored password")
        return Probe(Verdict.PARTIAL, "the role does not log in with the stored password")

    def apply(self, ctx: StepContext[ApplicationRoleParams]) -> None:
        """The same password in every attempt: a stored one is read again."""
        params = ctx.params
        with ctx.tools.postgres.connect(params.target) as session:
            comment = _comment(session, params.role)
            if comment is not None and comment != _mark(ctx):
                raise Refused(
                    f"the role {params.role} exists and was not made by this step",
                    where=params.target.address,
                    next="drop it, or name another role",
                )
            body = _read_version(ctx) or _store(ctx)
            with effects_begun():
                role = identifier(params.role)
                with session.transaction():
                    if comment is None:
                        session.execute(f"CREATE ROLE {role} {_ATTRIBUTES}")
                        session.execute(f"COMMENT ON ROLE {role} IS {literal(_mark(ctx))}")
                    else:
                        session.execute(f"ALTER ROLE {role} LOGIN")
                    session.set_password(params.role, _password(body))

    def verify(self, ctx: StepContext[ApplicationRoleParams]) -> Verification:
        """The role's attributes, what the secret says, and a login with it."""
        params = ctx.params
        with ctx.tools.postgres.connect(params.target, read_only=True) as session:
            rows = session.query(
                "SELECT rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls, "
                "EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) FROM pg_roles r WHERE rolname = %s",
                [params.role],
            )
        login, strong, member = rows[0] if rows else (False, True, True)
        body = _read_version(ctx)
        wanted = _address(ctx)
        checks = (
            Check("the role may log in", bool(login), params.role),
            Check("it has no administrative attribute", not strong),
            Check("it is a member of no other role", not member),
            Check(
                "the secret tells where the database is", body is not None and wanted.items() <= body.items()
            ),
            Check("the role logs in with the stored password", body is not None and _login_works(ctx, body)),
        )
        outputs = {"role": params.role, "secret_arn": params.secret_arn, "secret_version": _token(ctx)}
        return Verification(checks, outputs)

    def undo(self, ctx: StepContext[ApplicationRoleParams]) -> None:
        """Drops the role. The secret version stays: Secrets Manager keeps versions, and this one opens nothing."""
        with ctx.tools.postgres.connect(ctx.params.target) as session:
            comment = _comment(session, ctx.params.role)
            if comment is None:
                return
            if comment != _mark(ctx):
                raise Refused(f"the role {ctx.params.role} was not made by this step")
            session.execute(f"DROP ROLE {identifier(ctx.params.role)}")


def _mark(ctx: StepContext[ApplicationRoleParams]) -> str:
    return f"migrator {ctx.key}"


def _token(ctx: StepContext[ApplicationRoleParams]) -> str:
    """ClientRequestToken, which is the version's id too: 32 to 64 characters."""
    return hashlib.sha256(ctx.key.encode()).hexdigest()[:40]


def _comment(session: Session, role: str) -> str | None:
    """The role's comment; None when there is no such role."""
    rows = session.query(
        "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = %s", [role]
    )
    return str(rows[0][0]) if rows else None


def _address(ctx: StepContext[ApplicationRoleParams]) -> dict[str, Any]:
    params = ctx.params
    return {
        "engine": "postgres",
        "host": params.target.host,
        "port": params.target.port,
        "dbname": params.database,
        "username": params.role,
    }


def _read_version(ctx: StepContext[ApplicationRoleParams]) -> dict[str, Any] | None:
    """This step's own version of the secret, if it was stored."""
    try:
        answer = ctx.tools.aws.call(
            "secretsmanager", "get_secret_value", SecretId=ctx.params.secret_arn, VersionId=_token(ctx)
        )
    except AwsRefused as error:
        if error.code in _NOT_THERE:
            return None
        raise
    body: dict[str, Any] = json.loads(answer["SecretString"])
    Secret(str(body.get("password", "")))
    return body


def _store(ctx: StepContext[ApplicationRoleParams]) -> dict[str, Any]:
    password = Secret(secrets.token_urlsafe(_PASSWORD_BYTES))
    body = {**_address(ctx), "password": password.reveal()}
    ctx.tools.aws.call(
        "secretsmanager",
        "put_secret_value",
        SecretId=ctx.params.secret_arn,
        ClientRequestToken=_token(ctx),
        SecretString=json.dumps(body),
    )
    return body


def _password(body: dict[str, Any]) -> Secret:
    return Secret(str(body["password"]))


def _login_works(ctx: StepContext[ApplicationRoleParams], body: dict[str, Any]) -> bool:
    """Logs in on the maintenance database, which every role may enter."""
    target = ctx.params.target
    database = Database(
        target.host,
        target.port,
        target.name,
        ctx.params.role,
        target.password,
        target.sslmode,
        target.sslrootcert,
    )
    try:
        with ctx.tools.postgres.connect(database, read_only=True, password=_password(body)) as session:
            return session.query("SELECT current_user::text") == [(ctx.params.role,)]
    except PostgresRefused as error:
        if error.sqlstate in ("28P01", "28000"):
            return False
        raise
