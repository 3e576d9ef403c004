"""Home: unfinished runs first, then what can be started, then what has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from migrator.contracts.control import Control, RunSummary, ShippedRunbook, StartOptions
from migrator.tui.feed import words_of
from migrator.tui.hometext import HOME_HELP, choice_lines, entry_line
from migrator.tui.orders import aside
from migrator.tui.paint import Line, content, folded, line
from migrator.tui.rows import Rows
from migrator.tui.timekeeping import now_of

_RELOAD_SECONDS = 2.0


@dataclass(frozen=True)
class MigrationFile:
    """A migration file in this folder or in one right below it."""

    path: Path


Entry = RunSummary | ShippedRunbook | MigrationFile | str
"""A row of the list; a text is a heading."""


class Picked(Message):
    """Another row was chosen."""


class HomeList(Rows):
    """Everything there is, under headings."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-8)", show=False),
        Binding("pagedown", "move(8)", show=False),
    ]
    has_cursor = True

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the framework's name
        super().__init__(id=id)
        self.entries: list[Entry] = []

    def show(self, entries: Sequence[Entry]) -> None:
        """A new list; the chosen thing stays chosen."""
        before = _identity(self.chosen())
        self.entries = list(entries)
        places = [i for i, e in enumerate(self.entries) if not isinstance(e, str)]
        same = [i for i in places if _identity(self.entries[i]) == before]
        self.cursor = (same or places or [0])[0]
        self.resized()
        self.post_message(Picked())

    def chosen(self) -> Entry | None:
        """The chosen row."""
        return self.entries[self.cursor] if self.cursor < len(self.entries) else None

    def action_move(self, by: int) -> None:
        """The next row that is not a heading."""
        step, place = (1 if by > 0 else -1), self.cursor
        for _ in range(abs(by)):
            place += step
            while 0 <= place < len(self.entries) and isinstance(self.entries[place], str):
                place += step
            if not 0 <= place < len(self.entries):
                break
            self.cursor = place
        height = self.scrollable_content_region.height
        top = self.scroll_offset.y
        if self.cursor <= top + 1:
            self.scroll_to(y=max(0, self.cursor - 2), animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)
        self.refresh()
        self.post_message(Picked())

    def on_click(self, event: events.Click) -> None:
        """The mouse chooses."""
        index = self.scroll_offset.y + event.y
        if index < len(self.entries) and not isinstance(self.entries[index], str):
            self.cursor = index
            self.refresh()
            self.post_message(Picked())

    def row_count(self) -> int:
        """Rows."""
        return max(1, len(self.entries))

    def row(self, index: int) -> Line:
        """One row."""
        if not self.entries:
            return line((" looking for runs …", "dim"))
        width = self.scrollable_content_region.width
        return entry_line(self.entries[index], now_of(self), width, chosen=index == self.cursor)


def _identity(entry: Entry | None) -> str:
    match entry:
        case RunSummary():
            return f"run {entry.folder}"
        case ShippedRunbook():
            return f"runbook {entry.name}"
        case MigrationFile():
            return f"file {entry.path}"
    return ""


Mode = Literal["rehearse", "run"]


class HomeScreen(Screen[None]):
    """Choose, start, or go on."""

    DEFAULT_CSS = """
    HomeScreen { background: $background; }
    HomeScreen #hometop { height: 1; background: $panel; }
    HomeScreen #list { height: 3fr; }
    HomeScreen #about { height: 2fr; min-height: 7; background: $background; border-top: solid $panel; padding: 0 1; }
    HomeScreen #abouttext { height: auto; }
    HomeScreen #homekeys { height: 1; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", show=False),
        Binding("h", "start('rehearse')", show=False),
        Binding("L", "start('run')", show=False),
        Binding("a", "watch", show=False),
        Binding("R", "report", show=False),
        Binding("n", "new", show=False),
        Binding("question_mark,f1", "help", show=False),
        Binding("q,escape", "leave", show=False),
    ]

    def __init__(self, control: Control) -> None:
        super().__init__()
        self.control = control
        self._runbooks: Sequence[ShippedRunbook] | None = None

    def compose(self) -> ComposeResult:
        """All parts, before anything is read."""
        title = line(
            (" migrator ", "strong"), ("moves a running application to new AWS infrastructure", "dim")
        )
        yield Static(content([title]), id="hometop", markup=False)
        yield HomeList(id="list")
        with VerticalScroll(id="about", can_focus=False):
            yield Static("", id="abouttext", markup=False)
        yield Static("", id="homekeys", markup=False)

    def on_mount(self) -> None:
        """Reads runs now and every two seconds, runbooks once."""
        self.query_one(HomeList).focus()
        self._load()
        self.set_interval(_RELOAD_SECONDS, self._load)

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        if self.app.screen is not self and self._runbooks is not None:
            return
        try:
            runs = await aside(self.control.runs)
            files = await aside(migration_files)
            if self._runbooks is None:
                self.query_one(HomeList).show(_entries(runs, files, ()))
                self._runbooks = await aside(self.control.runbooks)
        except Exception as error:  # noqa: BLE001 - shown to the operator
            what, _, then = words_of(error)
            told = [line((what, "bad"))] + ([line(then)] if then else [])
            self.query_one("#abouttext", Static).update(content(told))
            return
        self.query_one(HomeList).show(_entries(runs, files, self._runbooks))

    def on_picked(self) -> None:
        """What the chosen thing is, and what its keys do."""
        entry = self.query_one(HomeList).chosen()
        if entry is None:
            return
        self.query_one("#abouttext", Static).update(
            content(folded(choice_lines(entry, now_of(self)), self.size.width - 4))
        )
        self.query_one("#homekeys", Static).update(content([_keys(entry)]))

    def on_screen_resume(self) -> None:
        """Back from a run: what has changed there is read again."""
        self._load()

    def chosen(self) -> Entry | None:
        """The chosen thing."""
        return self.query_one(HomeList).chosen()

    def action_open(self) -> None:
        """A run is opened; a runbook or migration is rehearsed, which touches nothing real."""
        entry = self.chosen()
        if isinstance(entry, RunSummary):
            self._open_run(entry.folder, read_only=False)
        else:
            self.action_start("rehearse")

    def action_watch(self) -> None:
        """Only watches a run."""
        entry = self.chosen()
        if isinstance(entry, RunSummary):
            self._open_run(entry.folder, read_only=True)

    def _open_run(self, folder: Path, *, read_only: bool) -> None:
        from migrator.tui.run import RunScreen

        self.app.push_screen(RunScreen(self.control, folder, read_only=read_only))

    def action_report(self) -> None:
        """A run's report."""
        entry = self.chosen()
        if isinstance(entry, RunSummary):
            from migrator.tui.reporting import ReportScreen

            self.app.push_screen(ReportScreen(self.control, entry.folder))

    def action_start(self, mode: Mode) -> None:
        """A rehearsal after Enter, the real thing only after its name was typed."""
        entry = self.chosen()
        if isinstance(entry, MigrationFile):
            target, name = str(entry.path), entry.path.name
        elif isinstance(entry, ShippedRunbook):
            target = name = entry.name
        else:
            return
        from migrator.tui.dialogs import Tell, Typed

        if mode == "run" and isinstance(entry, ShippedRunbook):
            told = [
                line("A real run needs your application's own values."),
                line("Press n: a few questions write them into a migration file. Then start that file."),
            ]
            self.app.push_screen(Tell("Not with a runbook alone", told))
        elif mode == "run":
            lines = [
                line(
                    ("This is the real thing.", "bad"),
                    " It changes your AWS account, your DNS and your database.",
                ),
                line("Each phase still asks you before it begins. A rehearsal first is wise: Esc, then h."),
            ]
            typed = Typed(f"Start a LIVE run of {name}?", lines, wanted=f"live {name}")
            self.app.push_screen(typed, self._if_typed(target))
        else:
            self._begin(target, "rehearse")

    def _if_typed(self, target: str) -> Callable[[str | None], None]:
        def begin(answer: str | None) -> None:
            if answer is not None:
                self._begin(target, "run")

        return begin

    @work(exclusive=True, group="begin")
    async def _begin(self, target: str, mode: Mode) -> None:
        told = "Preparing the rehearsal …" if mode == "rehearse" else "Preparing the live run …"
        self.query_one("#homekeys", Static).update(content([line((f" {told}", "busy"))]))
        try:
            folder = await aside(lambda: self.control.begin(target, mode, StartOptions(attended=True)))
        except Exception as error:  # noqa: BLE001 - shown to the operator
            from migrator.tui.dialogs import Tell, told_error

            self.app.push_screen(Tell("It was not started", told_error(*words_of(error)), severe=True))
            self.on_picked()
            return
        self._open_run(folder, read_only=False)

    def action_new(self) -> None:
        """Questions for a new migration, in the plain terminal."""
        entry = self.chosen()
        if not isinstance(entry, ShippedRunbook):
            self.app.notify("Choose one of the runbooks first, then press n.", markup=False)
            return
        from migrator.tui.outside import questions

        with self.app.suspend():
            code = questions(entry.name)
        if code:
            self.app.notify(f"No migration was written (code {code}).", markup=False)
        self._load()

    def action_help(self) -> None:
        """The keys of this view."""
        from migrator.tui.dialogs import Tell

        self.app.push_screen(Tell("Keys", HOME_HELP))

    def action_leave(self) -> None:
        """Ends the wizard; runs go on."""
        self.app.exit(0)

    def ask_to_leave(self) -> None:
        """Ctrl-C: nothing is at work here, so it leaves."""
        self.app.exit(0)


def _entries(
    runs: Sequence[RunSummary], files: Sequence[Path], runbooks: Sequence[ShippedRunbook]
) -> list[Entry]:
    unfinished = [run for run in runs if not run.ended]
    ended = [run for run in runs if run.ended]
    rows: list[Entry] = []
    for heading, found in (
        ("Unfinished runs", unfinished),
        ("Migrations in this folder", [MigrationFile(path) for path in files]),
        ("Runbooks that come with the program", runbooks),
        ("Ended runs", ended),
    ):
        if found:
            rows += [heading, *found]
    return rows


def migration_files() -> list[Path]:
    """Migration files here and one folder below: small YAML files that name a runbook."""
    here = Path.cwd()
    found = [p for pattern in ("*.yaml", "*.yml", "*/migration.yaml") for p in sorted(here.glob(pattern))]
    return [path.relative_to(here) for path in found if _names_a_runbook(path)]


def _names_a_runbook(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(16_384).split("\n")
    except OSError:
        return False
    return any(row.startswith("runbook:") for row in head) and not any(
        row.startswith("phases:") for row in head
    )


def _keys(entry: Entry) -> Line:
    if isinstance(entry, RunSummary):
        first = "look" if entry.ended else "watch and steer" if entry.alive else "go on"
        pairs = [("Enter", first), ("a", "only watch"), ("R", "report")]
    elif isinstance(entry, MigrationFile):
        pairs = [("Enter", "rehearse"), ("L", "LIVE run")]
    else:
        pairs = [("Enter", "rehearse"), ("n", "new migration")]
    pairs += [("?", "help"), ("^P", "all"), ("q", "leave")]
    return tuple(part for key, word in pairs for part in line((f" {key}", "key"), f" {word} "))
