"""`python -m migrator.runner RUN_FOLDER`: leads one run in a session of its own, whoever watches."""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from migrator.contracts.surroundings import Surroundings
from migrator.engine.book import Book, describe
from migrator.engine.decisions import Policy
from migrator.engine.executor import Executor
from migrator.engine.protocol import StepProtocol
from migrator.errors import MigratorError, Refused
from migrator.journal import SqliteJournal
from migrator.lab.client import boot_id, process_start_time
from migrator.loading.runbook import load_runbook
from migrator.loading.values import differences, resolve_values
from migrator.model.records import Kind
from migrator.model.runbook import Runbook
from migrator.resources import shipped
from migrator.runner import compose
from migrator.runner.contexts import Contexts
from migrator.runner.folders import PRIVATE_UMASK, RunFolder, hostname, whoami
from migrator.runner.lease import Lease
from migrator.runner.rehearsal import Rehearsal
from migrator.runner.reports import write_reports


class Runner:
    """One runner process of one run."""

    def __init__(
        self, folder: RunFolder, *, attended: bool, yes: bool, confirm: str, only_look: bool = False
    ) -> None:
        self._folder = folder
        self._attended = attended
        self._yes = yes
        self._confirm = confirm
        self._only_look = only_look
        self._interrupted = threading.Event()
        self._executor: Executor | None = None
        self._signalled = False

    def run(self) -> str:
        """Takes the lease, leads the run, lets go; gives the reason why it ended."""
        lease = Lease(self._folder.lease, {"pid": os.getpid(), "who": whoami(), "host": hostname()})
        journal = SqliteJournal(self._folder.journal)
        book = Book(journal)
        try:
            return self._lead(book)
        finally:
            journal.close()
            lease.release()

    def _lead(self, book: Book) -> str:
        book.append(
            Kind.RUNNER_STARTED,
            pid=os.getpid(),
            start_time=process_start_time(os.getpid()),
            boot_id=boot_id(),
            host=hostname(),
            who=whoami(),
            attended=self._attended,
        )
        error: dict[str, str] | None = None
        try:
            reason = self._work(book)
        except Exception as failure:  # noqa: BLE001 - the edge: whatever ended the runner is recorded
            traceback.print_exc()
            error, reason = describe(failure), "error"
        book.append(Kind.RUNNER_STOPPED, reason=reason, error=error)
        return reason

    def _work(self, book: Book) -> str:
        catalogue = compose.catalogue()
        runbook = load_runbook(self._folder.runbook, catalogue, shipped("terraform") / "stacks")
        if runbook.digest != book.state.runbook_digest:
            raise Refused(
                "the run's copy of its runbook was changed",
                where=str(self._folder.runbook),
                next="put the file back as it was; a run goes on only with the runbook it began with",
            )
        rehearsal = Rehearsal(self._folder, book) if book.state.mode == "rehearse" else None
        if book.state.outcome:
            return self._conclude(book, runbook, rehearsal, book.state.outcome)
        if book.state.aborted or "traffic" in book.state.measured:
            return self._conclude(book, runbook, rehearsal, "aborted" if book.state.aborted else "done")
        surroundings = self._surroundings(book, runbook, rehearsal)
        try:
            return self._execute(book, runbook, rehearsal, surroundings)
        finally:
            surroundings.close()

    def _surroundings(self, book: Book, runbook: Runbook, rehearsal: Rehearsal | None) -> Surroundings:
        state = book.state
        if rehearsal is None:
            found = compose.real_surroundings(state.region, self._folder.work("@shared"))
            if found.account != state.account:
                raise Refused(
                    f"the credentials are for account {found.account}, this run belongs to {state.account}",
                    next="choose the profile of the run's account (AWS_PROFILE) and resume",
                )
            return found
        manifest = rehearsal.start()
        if "differences" not in state.measured:
            values, provenance = resolve_values(runbook, state.values, "rehearse", lab=manifest.variables)
            book.append(Kind.VALUES_FOUND, values=values, source=provenance)
            rows = [
                {"kind": d.kind, "name": d.name, "real": d.real, "rehearsal": d.rehearsal}
                for d in differences(runbook, values)
            ]
            book.append(Kind.MEASURED, name="differences", values={"items": rows})
        rehearsal.watch()
        return compose.lab_surroundings(manifest, self._folder.lab / "violations.jsonl")

    def _execute(
        self, book: Book, runbook: Runbook, rehearsal: Rehearsal | None, surroundings: Surroundings
    ) -> str:
        tools = compose.tools(surroundings, self._folder.work("@shared"))
        self._pin(book, compose.versions(tools))
        contexts = Contexts(
            self._folder, book, tools, surroundings, shipped("terraform").parent, self._interrupted
        )
        policy = Policy(
            auto_approve=self._yes,
            confirm=self._confirm,
            rehearsal=rehearsal is not None,
            attended=self._attended,
            only_look=self._only_look,
            who=whoami(),
            host=hostname(),
        )
        protocol = StepProtocol(book, compose.actions(), contexts, tools.clock)
        with concurrent.futures.ThreadPoolExecutor(policy.max_parallel + 2) as pool:
            self._executor = Executor(
                runbook,
                book,
                protocol,
                tools.clock,
                policy,
                pool,
                interrupted=self._interrupted,
                conclude=lambda outcome: self._finish(book, runbook, rehearsal, outcome),
            )
            reason = self._executor.run()
        write_reports(self._folder, book.state, runbook)
        return reason

    def _pin(self, book: Book, present: dict[str, str]) -> None:
        """A run goes on with the tools it began with: another release may read the world differently."""
        pinned = book.state.measured.get("tools")
        if pinned is None:
            book.append(Kind.MEASURED, name="tools", values=present)
            return
        for name, version in present.items():
            before = str(pinned.get(name) or version)
            if version and release(before) != release(version):
                raise Refused(
                    f"this run began with {name} {before}, here is {version}",
                    next=f"put {name} {before} on the PATH and resume",
                )

    def _conclude(self, book: Book, runbook: Runbook, rehearsal: Rehearsal | None, outcome: str) -> str:
        """The end of a run whose steps are settled: an earlier runner may have died in the middle of it."""
        if not book.state.outcome:
            self._finish(book, runbook, rehearsal, outcome)
        write_reports(self._folder, book.state, runbook)
        return outcome

    def _finish(self, book: Book, runbook: Runbook, rehearsal: Rehearsal | None, outcome: str) -> None:
        if rehearsal is not None:
            rehearsal.finish()
        book.append(Kind.FINISHED, outcome=outcome)
        write_reports(self._folder, book.state, runbook)

    def on_signal(self, number: int, _frame: Any) -> None:
        """Ends after the steps at work; a second signal interrupts them."""
        if self._executor is None:
            raise SystemExit(128 + number)
        if self._signalled:
            self._interrupted.set()
        self._signalled = True
        self._executor.stop("signal")


def release(version: str) -> tuple[str, ...]:
    """Major and minor number."""
    return tuple(version.split(".")[:2])


def main(argv: list[str]) -> int:
    """Entry of the runner's process. Its exit code is of no meaning: viewers read the journal."""
    parser = argparse.ArgumentParser(prog="migrator.runner")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--attended", action="store_true")
    parser.add_argument("--yes", action="store_true")
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--confirm", default="")
    options = parser.parse_args(argv)
    os.umask(PRIVATE_UMASK)
    folder = RunFolder(options.folder.resolve())
    runner = Runner(
        folder,
        attended=options.attended,
        yes=options.yes,
        confirm=options.confirm,
        only_look=options.look,
    )
    signal.signal(signal.SIGTERM, runner.on_signal)
    signal.signal(signal.SIGINT, runner.on_signal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        runner.run()
    except MigratorError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the runner's own log
        return int(error.exit_code)
    return 0
