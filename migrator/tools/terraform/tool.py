"""`contracts.terraform.Terraform` by the terraform binary."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from migrator.contracts.aws import Aws
from migrator.contracts.process import Child, Command, Exit, Processes
from migrator.contracts.surroundings import Surroundings
from migrator.contracts.terraform import (
    Applied,
    Backend,
    Stack,
    StackPlan,
    StateLock,
    StateLocked,
    StateSummary,
    Watcher,
)
from migrator.errors import CredentialsError, InDoubt, MigratorError, Refused
from migrator.sanitize import clean, clean_line
from migrator.tools.terraform import sources, state, stream
from migrator.tools.terraform import surroundings as around
from migrator.tools.terraform.arguments import FLAG, arguments

_INIT_SECONDS = 600.0
_PLAN_SECONDS = 1_800.0
_SHORT_SECONDS = 300.0
_SILENCE_SECONDS = 300.0
_GRACE_SECONDS = 120.0
_LOCK_WAIT = "20s"
_OUTPUT_LIMIT = 256 << 20
_MINIMUM = (1, 11)
_CREDENTIALS = re.compile(
    r"ExpiredToken|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|RequestExpired"
    r"|No valid credential sources|failed to refresh cached credentials|security token included in the request"
)
_LOCKED = "Error acquiring the state lock"
_INIT_MARK = "initialised.json"


def _nothing() -> None:
    return


class TerraformTool:
    """Runs one terraform binary. `folder` is the run's, for the CLI configuration and a provider cache."""

    def __init__(self, processes: Processes, surroundings: Surroundings, aws: Aws, folder: Path) -> None:
        self._processes = processes
        self._surroundings = surroundings
        self._aws = aws
        self._folder = folder
        self._config: Path | None = None
        self._found: Path | None = None

    # --- the binary and what it runs in -------------------------------------------------------------------

    def version(self) -> str:
        """The binary's version."""
        done, out, err = self._run(self._folder, self._folder / "data", _SHORT_SECONDS, "version", json=FLAG)
        try:
            version = str(json.loads(out)["terraform_version"])
            numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
        except (ValueError, KeyError, TypeError):
            raise Refused("terraform does not say its version", detail=clean_line(err or out, 500)) from None
        if not done.ok or numbers < _MINIMUM:
            raise Refused(
                f"terraform {clean_line(version, 40)} is too old",
                next=f"install terraform {'.'.join(map(str, _MINIMUM))} or newer",
            )
        return clean_line(version, 40)

    def owner(self) -> str:
        """user@host, as Terraform writes it into its locks."""
        try:
            user = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            user = os.environ.get("USER", "")
        return f"{user}@{socket.gethostname()}"

    @property
    def _binary(self) -> Path:
        if self._found is None:
            self._found = self._processes.find("terraform", ("/usr/local/bin", "/opt/homebrew/bin"))
        if self._found is None:
            raise Refused("terraform was not found", next="install Terraform 1.11 or newer")
        return self._found

    def _cli_config(self) -> Path:
        if self._config is None:
            own = around.operators_config()
            if own is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                cache = self._folder / "providers"
                cache.mkdir(mode=0o700, exist_ok=True)
                own = self._folder / "terraform.tfrc"
                own.write_text(around.cli_config(around.provider_mirror(), cache), "utf-8")
            self._config = own
        return self._config

    def _environment(self, data: Path) -> dict[str, str]:
        return around.environment(self._surroundings, self._cli_config(), data)

    def _run(
        self,
        cwd: Path,
        data: Path,
        seconds: float,
        command: str,
        *positional: str,
        channel: Watcher | None = None,
        ok_codes: tuple[int, ...] = (0,),
        **options: Any,
    ) -> tuple[Exit, str, str]:
        argv = arguments(self._binary, command, *positional, **options)
        cwd.mkdir(mode=0o700, parents=True, exist_ok=True)
        if channel is not None:
            channel.command(argv)
        return self._processes.run(
            Command(
                argv=argv,
                label=f"terraform {command}",
                cwd=cwd,
                environment=self._environment(data),
                deadline_seconds=seconds,
                grace_seconds=_GRACE_SECONDS,
                ok_codes=ok_codes,
            ),
            tick=channel.check_cancelled if channel is not None else _nothing,
            limit_bytes=_OUTPUT_LIMIT,
        )

    # --- from source to plan ------------------------------------------------------------------------------

    def prepare(
        self, shipped: Path, work: Path, name: str, backend: Backend | None, variables: Mapping[str, Any]
    ) -> Stack:
        """Copies the stack into `work` and writes its variable file."""
        return sources.copy(shipped, work, name, backend, variables)

    def init(self, stack: Stack, channel: Watcher, mode: Literal["", "reconfigure", "migrate"] = "") -> None:
        """`terraform init`, unless this very copy was initialised with these settings."""
        settings = around.backend_settings(stack.backend, self._surroundings) if stack.backend else {}
        mark = stack.data / _INIT_MARK
        wanted = json.dumps([stack.digest, settings], sort_keys=True)
        if not mode and mark.is_file() and mark.read_text("utf-8") == wanted:
            return
        options: dict[str, Any] = {"input": False, "no_color": FLAG}
        if stack.backend:
            file = stack.work / "backend.tfbackend"
            file.touch(mode=0o600)
            file.write_text(around.backend_file(settings), "utf-8")
            options["backend_config"] = str(file)
        if mode == "migrate":
            options |= {"migrate_state": FLAG, "force_copy": FLAG}
        elif mode == "reconfigure" or mark.is_file():
            options["reconfigure"] = FLAG
        channel.progress(f"{stack.name}: preparing providers and state")
        with self._alone():
            done, out, err = self._run(
                stack.root, stack.data, _INIT_SECONDS, "init", channel=channel, **options
            )
        if not done.ok:
            raise self._failure("terraform init failed", stack, done, (clean(err or out)[-4_000:],))
        # Terraform writes this file 0644 whatever the umask says; nothing of a run is open to others.
        lock = stack.root / ".terraform.lock.hcl"
        if lock.exists():
            lock.chmod(0o600)
        mark.write_text(wanted, "utf-8")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One init at a time: Terraform does not promise that its provider cache may be shared by several."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / "init.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def plan(
        self, stack: Stack, channel: Watcher, *, destroy: bool = False, targets: Sequence[str] = ()
    ) -> StackPlan:
        """`terraform plan -out`; the changes are taken from its event stream."""
        file = stack.work / ("destroy.tfplan" if destroy else "apply.tfplan")
        file.unlink(missing_ok=True)
        options: dict[str, Any] = {
            "input": False,
            "json": FLAG,
            "detailed_exitcode": FLAG,
            "out": str(file),
            "var_file": str(stack.variables),
            "lock": False,
        }
        if targets:
            options["target"] = list(targets)
        if destroy:
            options["destroy"] = FLAG
        channel.progress(f"{stack.name}: comparing the stack with the world")
        done, out, err = self._run(
            stack.root, stack.data, _PLAN_SECONDS, "plan", channel=channel, ok_codes=(0, 2), **options
        )
        lines = out.splitlines()
        if not done.ok:
            said = stream.diagnostics(lines) or (clean(err or out)[-4_000:],)
            raise self._failure("terraform plan failed", stack, done, said)
        changes = stream.planned(lines)
        parts = [(change.address, change.action, change.reason) for change in changes]
        total = hashlib.sha256(json.dumps([stack.digest, parts]).encode())
        total.update(file.read_bytes())
        return StackPlan(file, changes, empty=done.code == 0, fingerprint=total.hexdigest())

    def adopt(self, stack: Stack, imports: Mapping[str, str]) -> None:
        """Import blocks for the next plan."""
        sources.adopt(stack, imports)

    def planned_values(self, stack: Stack, plan_file: Path) -> dict[str, dict[str, Any]]:
        """What the plan knew of the resources that it creates."""
        done, out, err = self._run(
            stack.root, stack.data, _SHORT_SECONDS, "show", str(plan_file), json=FLAG, no_color=FLAG
        )
        if not done.ok:
            raise self._failure("terraform show failed", stack, done, (clean(err)[-2_000:],))
        return {
            str(change["address"]): dict(change["change"].get("after") or {})
            for change in json.loads(out).get("resource_changes", [])
            if change.get("mode") == "managed" and "create" in change["change"]["actions"]
        }

    # --- apply --------------------------------------------------------------------------------------------

    def apply(
        self,
        stack: Stack,
        plan: StackPlan,
        folder: Path,
        deadline_seconds: float,
        spawned: Callable[[Child], None],
        channel: Watcher,
    ) -> Child:
        """Starts `terraform apply` of the saved plan under a supervisor."""
        kept = folder.with_name(f"{folder.name}.tfplan")
        kept.write_bytes(plan.file.read_bytes())
        kept.chmod(0o600)
        argv = arguments(self._binary, "apply", str(kept), input=False, json=FLAG, lock_timeout=_LOCK_WAIT)
        channel.command(argv)
        return self._processes.start(
            Command(
                argv=argv,
                label=f"terraform apply {stack.name}",
                cwd=stack.root,
                environment=self._environment(stack.data),
                deadline_seconds=deadline_seconds,
                silence_seconds=_SILENCE_SECONDS,
                grace_seconds=_GRACE_SECONDS,
            ),
            folder,
            spawned,
        )

    def follow(self, stack: Stack, child: Child, channel: Watcher) -> tuple[Exit, Applied]:
        """Follows an apply to its end."""
        events = stream.ApplyStream(stack.name)

        def line(text: str) -> None:
            found = events.feed(text)
            if found.get("@message"):
                channel.log(clean_line(str(found["@message"])))
            if found.get("type") in ("apply_start", "apply_progress", "apply_complete", "apply_errored"):
                done, total = events.counts
                channel.progress(
                    clean_line(str(found.get("@message", "")), 300),
                    done,
                    total,
                    "resources",
                    {**events.detail()},
                )

        done = self._processes.follow(child, line, channel.log, channel.check_cancelled)
        return done, events.applied()

    def stream(self, folder: Path) -> Applied:
        """What the saved event stream says."""
        events = stream.ApplyStream("")
        try:
            with (folder / "stdout").open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    events.feed(line)
        except FileNotFoundError:
            pass
        found = events.applied()
        try:
            status = json.loads((folder / "status.json").read_text("utf-8"))
        except (OSError, ValueError):
            return found
        by_itself = status.get("reason") == "not_run" or (
            status.get("reason") == "exit" and status.get("code") in (0, 1)
        )
        under_way = any(resource.state == "running" for resource in found.resources)
        return replace(found, settled=by_itself and not under_way)

    # --- state, outputs, locks ----------------------------------------------------------------------------

    def outputs(self, stack: Stack, channel: Watcher) -> dict[str, Any]:
        """`terraform output -json` without what is sensitive."""
        done, out, err = self._run(
            stack.root, stack.data, _SHORT_SECONDS, "output", json=FLAG, no_color=FLAG, channel=channel
        )
        if not done.ok:
            raise self._failure("terraform output failed", stack, done, (clean(err)[-2_000:],))
        return {
            str(name): output["value"]
            for name, output in json.loads(out).items()
            if not output.get("sensitive")
        }

    def state(self, backend: Backend) -> StateSummary:
        """What the state holds."""
        return state.read_state(self._aws, backend)

    def lock(self, backend: Backend) -> StateLock | None:
        """Who holds the state."""
        return state.read_lock(self._aws, backend)

    def force_unlock(self, stack: Stack, lock: StateLock, channel: Watcher) -> None:
        """`terraform force-unlock` of this id; a half that it leaves in the table is removed by its id."""
        assert stack.backend is not None
        if "file" in lock.places:
            self._run(
                stack.root, stack.data, _SHORT_SECONDS, "force-unlock", lock.id, force=FLAG, channel=channel
            )
        if stack.backend.lock_table:
            state.remove_lock_item(self._aws, stack.backend, lock)
        left = self.lock(stack.backend)
        if left is not None and left.id == lock.id:
            raise InDoubt(
                "the state's lock could not be removed",
                where=stack.name,
                next=f"run `terraform force-unlock {lock.id}` in {stack.root}",
            )

    def untaint(self, stack: Stack, address: str, channel: Watcher) -> None:
        """`terraform untaint`."""
        done, out, err = self._run(
            stack.root,
            stack.data,
            _SHORT_SECONDS,
            "untaint",
            address,
            channel=channel,
            no_color=FLAG,
            lock_timeout=_LOCK_WAIT,
        )
        if not done.ok:
            raise self._failure("terraform untaint failed", stack, done, (clean(err or out)[-2_000:],))

    def move_in(self, stack: Stack, local: Path, channel: Watcher) -> StateSummary:
        """`terraform state push`, proven by reading both."""
        assert stack.backend is not None
        wanted, there = state.summary(local.read_bytes(), str(local)), self.state(stack.backend)
        self.init(stack, channel)
        if there.exists and there.resources == wanted.resources:
            return there
        if there.resources:
            raise Refused(
                f"the bucket already holds another state (serial {there.serial})",
                where=f"s3://{stack.backend.bucket}/{stack.backend.key}",
                next="choose another key, or look which of the two is the newer one",
            )
        self._push(stack, local, channel)
        there = self.state(stack.backend)
        if there.resources != wanted.resources:
            raise InDoubt("the state in the bucket is not the one that was moved", where=stack.name)
        return there

    def move_out(self, stack: Stack, local: Path, channel: Watcher) -> StateSummary:
        """`terraform state pull` into a file, proven by reading both."""
        assert stack.backend is not None
        wanted = self.state(stack.backend)
        if not wanted.exists:
            raise Refused("there is no state in the bucket", where=stack.name)
        before = state.summary(local.read_bytes(), str(local)) if local.exists() else StateSummary()
        if before == wanted:
            return before
        self.init(stack, channel)
        done, out, err = self._run(stack.root, stack.data, _SHORT_SECONDS, "state pull", channel=channel)
        if not done.ok:
            raise self._failure("terraform state pull failed", stack, done, (clean(err)[-2_000:],))
        if state.summary(out, str(local)) != wanted:
            raise InDoubt("the state changed while it was read", where=stack.name)
        draft = local.with_name(f"{local.name}.new")
        draft.touch(mode=0o600)
        draft.write_text(out, "utf-8")
        if before.exists:
            local.replace(local.with_name(f"{local.name}.{before.lineage[:8]}-{before.serial}.backup"))
        draft.replace(local)
        return wanted

    def _push(self, stack: Stack, file: Path, channel: Watcher) -> None:
        done, out, err = self._run(
            stack.root, stack.data, _SHORT_SECONDS, "state push", str(file), channel=channel
        )
        if not done.ok:
            raise self._failure("terraform state push failed", stack, done, (clean(err or out)[-2_000:],))

    def errored(self, stack: Stack) -> StateSummary | None:
        """What lies in `errored.tfstate`."""
        file = stack.root / "errored.tfstate"
        return state.summary(file.read_bytes(), str(file)) if file.is_file() else None

    def push_errored(self, stack: Stack, channel: Watcher) -> None:
        """`terraform state push errored.tfstate`; Terraform itself refuses an older or foreign one."""
        file = stack.root / "errored.tfstate"
        self._push(stack, file, channel)
        file.replace(file.with_name(f"pushed-{file.stat().st_mtime_ns}.json"))

    def _failure(self, what: str, stack: Stack, done: Exit, said: Sequence[str]) -> MigratorError:
        detail = "\n\n".join(text for text in said if text)
        if done.reason == "deadline":
            what = f"{what}: no end after {done.seconds:.0f} s"
        if _CREDENTIALS.search(detail):
            return CredentialsError(what, where=stack.name, detail=detail, next="renew the AWS credentials")
        if _LOCKED in detail:
            held = self.lock(stack.backend) if stack.backend else None
            return StateLocked("another writer holds the state", held, where=stack.name, detail=detail)
        return Refused(what, where=stack.name, detail=detail)
