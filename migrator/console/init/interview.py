"""The questions, in order: what to move, where to look, what is needed, what has a default, a last look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from migrator.console.init.answers import MAX_CHARACTERS, how_to_answer, problem_with, text_of, text_of_node
from migrator.console.init.asker import Asker, Option
from migrator.console.init.command import InitControl, InitOptions, next_commands
from migrator.console.init.document import FILE, render, runbook_reference, write_migration
from migrator.console.init.kept import Kept, Notebook
from migrator.console.init.proposals import DatabaseUse, Proposal, Uses, known_values
from migrator.console.init.scout import Scout, Sight
from migrator.contracts.postgres import Database
from migrator.errors import ExitCode, MigratorError, UsageError
from migrator.loading.migration import find_runbook, load_migration, shipped_runbooks
from migrator.loading.problems import nearest, shown
from migrator.model.runbook import Runbook, Variable
from migrator.sanitize import clean_line

_OTHER, _NOTHING, _STOP = "\0other", "\0nothing", "\0stop"
_MOST_PROPOSALS = 12


def needed_of(runbook: Runbook) -> list[Variable]:
    """The variables that must be answered."""
    return [v for v in runbook.variables if v.required and v.default in (None, "")]


class Interview:
    """One sitting. Each answer is on disk before the next question."""

    def __init__(
        self,
        control: InitControl,
        asker: Asker,
        notebook: Notebook,
        sight: Sight,
        folder: Path,
        options: InitOptions,
        given: Mapping[str, str],
    ) -> None:
        self._control = control
        self._ask = asker
        self._notebook = notebook
        self._sight = sight
        self._path = folder / FILE
        self._options = options
        self._given = dict(given)
        self._kept = Kept(started=datetime.now(UTC).isoformat(timespec="seconds"))
        self._scout = Scout(asker, sight, self._kept, self._save)
        self._checked: set[Database] = set()

    def keep_or_forget(self) -> int:
        """After an interruption: how many answers are on disk; a file without any is removed."""
        kept, _ = self._notebook.read()
        if kept is None or not (kept.answers or kept.accepted or kept.offered):
            self._notebook.forget()
            return 0
        return len({*kept.answers, *kept.accepted, *kept.offered})

    def run(self) -> int:
        """Asks everything and writes the file; gives the exit code."""
        self._ask.say(
            f"A new migration, to be written to {self._path}. Nothing else is changed by this, and no secret "
            "is asked for. Ctrl-C at any time: your answers are kept."
        )
        self._ask.say()
        if not self._take_up():
            return int(ExitCode.DONE)
        runbook = self._runbook()
        self._take_given(runbook)
        self._save()
        uses = Uses(runbook)
        self._scout = Scout(self._ask, self._sight, self._kept, self._save)
        self._scout.look([v for v in needed_of(runbook) if v.name not in self._kept.answers], uses)
        self._needed(runbook, uses)
        self._defaults(runbook, uses)
        return self._end(runbook, uses)

    def _end(self, runbook: Runbook, uses: Uses) -> int:
        while (chosen := self._review(runbook)) not in (_NOTHING, _STOP):
            self._question(next(v for v in runbook.variables if v.name == chosen), runbook, uses, "")
        if chosen == _STOP or not self._write(runbook):
            self._ask.say("Nothing was written. Your answers are kept for the next `migrator init`.")
            return int(ExitCode.DONE)
        return int(ExitCode.DONE)

    # ------------------------------------------------------------------ beginning

    def _take_up(self) -> bool:
        """Takes up kept answers or an existing file; false to leave everything as it is."""
        kept, word = self._notebook.read()
        if word:
            self._ask.say(word)
        if kept is not None and (kept.answers or kept.accepted or kept.offered):
            when, count = kept.started[:16].replace("T", " "), len({**kept.offered, **kept.answers})
            self._ask.say(f"{count} answers for {kept.runbook} are kept from {when} UTC.")
            chosen = self._ask.choose(
                "Go on with them?",
                [
                    Option("go_on", "Go on where it stopped"),
                    Option("again", "Ask everything again, with those answers offered"),
                    Option("new", "Forget them and begin anew"),
                ],
            )
            if chosen == "go_on":
                self._kept = kept
                return True
            if chosen == "again":
                self._kept = replace(kept, answers={}, accepted=[], offered={**kept.offered, **kept.answers})
                return True
        if not self._path.exists():
            return True
        return self._take_file()

    def _take_file(self) -> bool:
        chosen = self._ask.choose(
            f"{self._path} is there already.",
            [
                Option("change", "Change it: its values are offered"),
                Option("new", "Make a new one in its place"),
                Option("leave", "Leave it as it is"),
            ],
        )
        if chosen == "change":
            try:
                self._offer_file()
            except MigratorError as error:
                self._ask.say("It cannot be read, so nothing of it is offered:")
                for line in (error.detail or error.what).splitlines()[:5]:
                    self._ask.say(f"  {line}")
        return chosen != "leave"

    def _offer_file(self) -> None:
        migration = load_migration(self._path)
        file, name = migration.runbook, migration.runbook.stem
        shipped = name in shipped_runbooks() and find_runbook(name) == file
        for variable in self._control.runbook(name if shipped else str(file)).variables:
            if variable.name in migration.values:
                self._offer(variable, text_of_node(variable, migration.values[variable.name]))
        self._kept.runbook = name if shipped else str(file)

    def _offer(self, variable: Variable, text: str) -> None:
        """Keeps a text to be offered. What stands where a secret's place should be may be the secret itself."""
        fits = not problem_with(variable, text)
        if fits or (variable.type != "secret_ref" and text.isprintable() and len(text) <= MAX_CHARACTERS):
            self._kept.offered[variable.name] = text

    def _runbook(self) -> Runbook:
        """The runbook that was named, kept or chosen."""
        named = self._options.runbook or self._kept.runbook
        if not named:
            shipped = self._control.runbooks()
            if not shipped:
                raise UsageError("no runbook is shipped with this program", next="name one: --runbook FILE")
            named = self._ask.choose(
                "What is to be moved?", [Option(each.name, f"{each.name}: {each.title}") for each in shipped]
            )
        runbook = self._control.runbook(named)
        self._kept.runbook = named
        self._ask.say(runbook.summary)
        self._ask.say()
        return runbook

    def _take_given(self, runbook: Runbook) -> None:
        """Takes the values of the command line, and drops kept answers that no longer fit."""
        by_name = {variable.name: variable for variable in runbook.variables}
        for name, text in self._given.items():
            problem = (
                problem_with(by_name[name], text)
                if name in by_name
                else f"there is no variable {shown(name)}{nearest(name, by_name)}"
            )
            if problem:
                raise UsageError(f"--set {clean_line(name, 60)}: {problem}")
        self._kept.answers |= self._given
        for name, text in list(self._kept.answers.items()):
            if name not in by_name:
                self._kept.offered[name] = self._kept.answers.pop(name)
            elif problem_with(by_name[name], text):
                del self._kept.answers[name]
                self._offer(by_name[name], text)
        self._kept.accepted = [name for name in self._kept.accepted if name in by_name]

    def _save(self) -> None:
        self._notebook.save(self._kept)

    # ------------------------------------------------------------------ questions

    def _needed(self, runbook: Runbook, uses: Uses) -> None:
        needed = needed_of(runbook)
        rest = len(runbook.variables) - len(needed)
        self._ask.say(f"{len(needed)} values are needed. {rest} more have a default or may be left out.")
        for number, variable in enumerate(needed, start=1):
            if variable.name in self._kept.answers:
                self._ask.say(f"  kept: {variable.name}: {self._kept.answers[variable.name]}")
            else:
                self._question(variable, runbook, uses, f"{number} of {len(needed)}")

    def _defaults(self, runbook: Runbook, uses: Uses) -> None:
        done = {*self._kept.answers, *self._kept.accepted}
        rest = [v for v in runbook.variables if v not in needed_of(runbook) and v.name not in done]
        if not rest:
            return
        for variable in [v for v in rest if uses.elsewhere(v, self._kept.region)]:
            self._ask.say()
            self._ask.say(f"The default of {variable.name} is not in {self._kept.region}, so it is asked:")
            self._question(variable, runbook, uses, "")
            rest.remove(variable)
        self._ask.say()
        chosen = self._ask.choose(
            f"{len(rest)} values have a default or may be left out. Look at them too?",
            [
                Option("no", "No, the defaults are fine (they will be in the file, as comments)"),
                Option("yes", "Yes"),
            ],
            "yes" if any(v.name in self._kept.offered for v in rest) else "no",
        )
        for number, variable in enumerate(rest, start=1):
            if chosen == "yes":
                self._question(variable, runbook, uses, f"{number} of {len(rest)}")
            elif variable.name in self._kept.offered and not problem_with(
                variable, self._kept.offered[variable.name]
            ):
                self._answer(variable, self._kept.offered[variable.name])

    def _question(self, variable: Variable, runbook: Runbook, uses: Uses, position: str) -> None:
        self._ask.say()
        self._ask.say(f"{variable.name}  ({position})" if position else variable.name)
        self._ask.say(f"  {variable.description}")
        if hint := how_to_answer(variable):
            self._ask.say(f"  {hint}")
        if variable.from_lab:
            self._ask.say("  A rehearsal does not need it: it uses the twin's.")
        self._answer(variable, self._text(variable, runbook, uses))
        if variable.type == "secret_ref" and (text := self._kept.answers.get(variable.name)):
            self._scout.try_secret(text)
        self._check_databases(runbook, uses, variable)

    def _text(self, variable: Variable, runbook: Runbook, uses: Uses) -> str:
        default = text_of(variable, variable.default)
        if uses.elsewhere(variable, self._kept.region):
            default = ""
        before = self._kept.answers.get(variable.name) or self._kept.offered.get(variable.name, "")
        if variable.choices or variable.type == "boolean":
            values = variable.choices or ("true", "false")
            options = [Option(value, f"{value} (default)" if value == default else value) for value in values]
            if not variable.required and not default:
                options.append(Option("", "no value"))
            return self._ask.choose(f"{variable.name}:", options, before or default)
        found = uses.proposals(variable, self._scout.findings, known_values(runbook, self._kept.answers))
        found = [each for each in found if not problem_with(variable, each.text)][:_MOST_PROPOSALS]
        if before and not problem_with(variable, before):
            found = [Proposal(before, "answered before"), *(each for each in found if each.text != before)]
        elif default and found:
            found = [Proposal(default, "default"), *(each for each in found if each.text != default)]
        start = before or default or (found[0].text if found else "")
        if len(found) > 1:
            options = [Option(each.text, f"{each.text}  ({each.found})") for each in found]
            chosen = self._ask.choose(f"{variable.name}:", [*options, Option(_OTHER, "Something else ...")])
            if chosen != _OTHER:
                return chosen
        return self._ask.text(f"{variable.name}:", start, lambda text: problem_with(variable, text))

    def _answer(self, variable: Variable, text: str) -> None:
        """Keeps an answer on disk; one that is the default is noted as looked at."""
        text = text.strip()
        self._kept.answers.pop(variable.name, None)
        if text and text != text_of(variable, variable.default):
            self._kept.answers[variable.name] = text
        elif variable.name not in self._kept.accepted:
            self._kept.accepted.append(variable.name)
        self._kept.offered.pop(variable.name, None)
        self._save()

    def _check_databases(self, runbook: Runbook, uses: Uses, variable: Variable) -> None:
        values = known_values(runbook, self._kept.answers)
        for use in uses.databases:
            database = use.database(values)
            if variable.name in use.variables.values() and database and database not in self._checked:
                self._checked.add(database)
                if not self._scout.database_answers(database):
                    self._again(use, runbook, uses)

    def _again(self, use: DatabaseUse, runbook: Runbook, uses: Uses) -> None:
        chosen = self._ask.choose(
            "Keep these answers?",
            [
                Option("keep", "Keep them (the preflight of a run checks again)"),
                Option("again", "Answer them again"),
            ],
        )
        if chosen == "again":
            for variable in runbook.variables:
                if variable.name in use.variables.values() and (
                    variable in needed_of(runbook) or variable.name in self._kept.answers
                ):
                    self._question(variable, runbook, uses, "again")

    # ------------------------------------------------------------------ ending

    def _review(self, runbook: Runbook) -> str:
        """Shows all answers; gives the name of one to change, `_NOTHING` to write, or `_STOP`."""
        answers = self._kept.answers
        missing = [v.name for v in runbook.variables if v in needed_of(runbook) and v.name not in answers]
        if missing:
            return missing[0]
        self._ask.say()
        self._ask.say("Your answers:")
        for name, text in answers.items():
            self._ask.say(f"  {name}: {text}")
        chosen = self._ask.choose(
            "Everything right?",
            [
                Option(_NOTHING, f"Yes, write {self._path}"),
                Option(_OTHER, "Change an answer"),
                Option(_STOP, "Not now, keep the answers for later"),
            ],
        )
        if chosen != _OTHER:
            return chosen
        options = [
            Option(v.name, f"{v.name}: {answers.get(v.name) or text_of(v, v.default) or 'no value'}")
            for v in runbook.variables
        ]
        return self._ask.choose("Which one?", options)

    def _write(self, runbook: Runbook) -> bool:
        there = self._path.exists()
        if there and not self._options.overwrite:
            chosen = self._ask.choose(
                f"{self._path} is there already. Replace it?",
                [Option("no", "No"), Option("yes", f"Yes, and keep the old one as {FILE}.old")],
            )
            if chosen == "no":
                return False
        values = known_values(runbook, self._kept.answers)
        region = "" if "region" in values else self._kept.region
        commands = next_commands(self._path, profile=self._kept.profile, region=region)
        reference = runbook_reference(self._kept.runbook, self._path.parent, Path.cwd())
        write_migration(self._path, render(runbook, reference, self._kept.answers, commands), replace=there)
        self._control.check(str(self._path))
        self._notebook.forget()
        rest = len(runbook.variables) - len(self._kept.answers)
        self._ask.say()
        self._ask.say(
            f"Written: {self._path} ({len(self._kept.answers)} values, {rest} left to their defaults)."
        )
        self._ask.say(f"Next: {commands[0]}")
        self._ask.say(f"Then: {commands[1]}")
        return True
