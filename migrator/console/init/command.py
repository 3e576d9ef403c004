"""What `migrator init` does: with a person, or headless with values from the command line."""

# ruff: noqa: T201 - this face prints

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from migrator.console.init.answers import problem_with
from migrator.console.init.document import FILE, render, runbook_reference, write_migration
from migrator.console.init.kept import Notebook
from migrator.contracts.control import ShippedRunbook
from migrator.errors import ExitCode, UsageError
from migrator.loading.problems import nearest, shown
from migrator.model.runbook import Runbook


class InitControl(Protocol):
    """What `init` needs of the door for faces."""

    def runbooks(self) -> Sequence[ShippedRunbook]:
        """The shipped runbooks."""
        ...

    def runbook(self, name: str) -> Runbook:
        """A shipped runbook, or one in a file."""
        ...

    def check(self, target: str) -> str:
        """One line about a valid file; `InvalidRunbook` with every problem otherwise."""
        ...


@dataclass(frozen=True)
class InitOptions:
    """`folder` as it was typed; `settings` are NAME=VALUE texts; `interactive`: a person can be asked."""

    folder: str = "."
    runbook: str = ""
    settings: tuple[str, ...] = ()
    interactive: bool = False
    no_input: bool = False
    overwrite: bool = False


def run_init(control: InitControl, options: InitOptions) -> int:
    """Makes the migration file; gives the exit code."""
    folder = Path(options.folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            "this is not a folder", where=str(folder), next="migrator init DIR makes DIR/" + FILE
        )
    given = read_settings(options.settings)
    if options.interactive:
        return _with_person(control, options, folder, given)
    if not options.no_input or not options.runbook:
        raise UsageError(
            "`migrator init` asks questions and needs a terminal",
            next="start it in a terminal, or give the answers at once:\n"
            "  migrator init --no-input --runbook NAME --set name=value --set name=value ...\n"
            f"or write {FILE} by hand:\n"
            "  format: 1\n  runbook: NAME\n  values:\n    name: value\n"
            "`migrator runbook list` has the names, and `migrator validate` tells what is missing",
        )
    return _headless(control, options, folder, given)


def read_settings(settings: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE texts by name; a later one wins."""
    found: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            # The text may be a value that was meant to be secret: it is not repeated.
            raise UsageError("--set needs NAME=VALUE", next="for instance --set domain=example.com")
        found[name.strip()] = value.strip()
    return found


def problems_of(runbook: Runbook, answers: Mapping[str, str], *, missing: bool = True) -> list[str]:
    """Everything wrong with the answers, and with `missing` what is not answered, one line each."""
    names = [variable.name for variable in runbook.variables]
    lines = [
        f"there is no variable {shown(name)}{nearest(name, names)}" for name in answers if name not in names
    ]
    for variable in runbook.variables:
        text = answers.get(variable.name, "")
        needed = variable.required and variable.default in (None, "")
        if text.strip():
            problem = problem_with(variable, text)
            lines += [f"{variable.name}: {problem}"] if problem else []
        elif missing and needed:
            lines.append(f"{variable.name} is missing: {variable.description}")
    return lines


def next_commands(path: Path, *, profile: str = "", region: str = "") -> list[str]:
    """The commands that follow, in order."""
    lead = [f"AWS_PROFILE={shlex.quote(profile)}"] if profile else []
    lead += [f"AWS_REGION={shlex.quote(region)}"] if region else []
    name = shlex.quote(str(path))
    return [f"migrator rehearse {name}", " ".join([*lead, f"migrator run {name}"])]


def _headless(control: InitControl, options: InitOptions, folder: Path, given: Mapping[str, str]) -> int:
    runbook = control.runbook(options.runbook)
    problems = problems_of(runbook, given)
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise UsageError(
            f"{count} with the values; nothing was written",
            detail="\n".join(problems),
            next="give each with --set NAME=VALUE",
        )
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made: {error.strerror}", where=str(folder)) from error
    commands = next_commands(path)
    reference = runbook_reference(options.runbook, folder, Path.cwd())
    write_migration(path, render(runbook, reference, given, commands), replace=options.overwrite)
    control.check(str(path))
    print(f"Written: {path}")
    print(f"Next: {commands[0]}")
    print(f"Then: {commands[1]}")
    return int(ExitCode.DONE)


def _with_person(control: InitControl, options: InitOptions, folder: Path, given: Mapping[str, str]) -> int:
    from migrator.console.init.asker import QuestionaryAsker, whole_terminal
    from migrator.console.init.interview import Interview
    from migrator.console.init.look import Look

    notebook = Notebook(folder)
    with notebook.held():
        interview = Interview(control, QuestionaryAsker(), notebook, Look(folder), folder, options, given)
        try:
            with whole_terminal():
                return interview.run()
        except (KeyboardInterrupt, EOFError):
            place = "" if options.folder == "." else f" {shlex.quote(options.folder)}"
            count = interview.keep_or_forget()
            print()
            if count:
                print(
                    f"Stopped. {count} answer{'s' if count > 1 else ''} kept. Go on with: migrator init{place}"
                )
            else:
                print("Stopped. Nothing was written.")
            sys.stdout.flush()
            return int(ExitCode.INTERRUPTED)
