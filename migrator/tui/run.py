"""The run screen: the tree on the left, the chosen step and its tabs on the right, what is wanted at the bottom."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Click, Resize
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from migrator.contracts.control import Control, RunView
from migrator.model.runbook import Step
from migrator.model.state import StepStatus
from migrator.tui.asks import Ask, ask
from migrator.tui.facts import top_lines
from migrator.tui.feed import Feed, Fetched, Lost, Opened, words_of
from migrator.tui.logview import LogView
from migrator.tui.orders import Request, aside, give
from migrator.tui.paint import Line, Span, content, folded, line, plain
from migrator.tui.rows import Table
from migrator.tui.runkeys import HELP
from migrator.tui.searchbar import SearchBar
from migrator.tui.steptext import commands_of, step_lines
from migrator.tui.steptree import Acted, Chosen, StepTree
from migrator.tui.tables import database_lines, journal_lines, terraform_lines, traffic_lines
from migrator.tui.timekeeping import now_of
from migrator.tui.watch import Watch

Tab = Literal["step", "log", "terraform", "database", "traffic", "journal"]
TABS: tuple[tuple[Tab, str, str], ...] = (
    ("step", "Step", "Step"),
    ("log", "Log", "Log"),
    ("terraform", "Terraform", "TF"),
    ("database", "Database", "DB"),
    ("traffic", "Traffic", "Traffic"),
    ("journal", "Journal", "Journal"),
)
_REDRAW_SECONDS = 0.25
_WIDE_COLUMNS, _WIDE_ROWS = 120, 36


class RunScreen(Screen[None]):
    """One run, live. In a wide terminal the step stays above the tabs; in a narrow one it is the first tab."""

    DEFAULT_CSS = """
    RunScreen { background: $background; layers: base top; }
    RunScreen #top { height: 2; background: $panel; }
    RunScreen #body { height: 1fr; }
    RunScreen #tree { width: 38; background: $surface; border-right: solid $panel; }
    RunScreen #right { width: 1fr; }
    RunScreen #tabs { height: 1; background: $panel; dock: top; }
    RunScreen #steppane { height: 1fr; padding: 0 1; background: $surface; scrollbar-size-vertical: 1;
                          scrollbar-background: $surface; scrollbar-color: $secondary 50%; }
    RunScreen #steppane:focus { background: $surface; }
    RunScreen .pane { display: none; }
    RunScreen .pane.shown { display: block; }
    RunScreen #step { height: auto; }
    RunScreen #state { height: 1; color: $text-muted; background: $surface; padding: 0 1; display: none; }
    RunScreen #state.shown { display: block; }
    RunScreen #ask { height: 1; background: $panel; }
    RunScreen #keys { height: 1; background: $panel; color: $text-muted; }
    RunScreen.wide #tree { width: 62; }
    RunScreen.wide #steppane { display: block; height: 2fr; }
    RunScreen.wide #tabs { dock: none; }
    RunScreen.wide #panes { height: 3fr; }
    RunScreen #panes { height: 1fr; }
    RunScreen.wide #panes.none { height: 1fr; }
    RunScreen.zoomed #tree { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"tab('{name}')", show=False) for number, (name, _, _) in enumerate(TABS, 1)),
        Binding("full_stop", "current", show=False),
        Binding("c", "go_on", show=False),
        Binding("g,enter", "decide", show=False),
        Binding("x", "choices", show=False),
        Binding("p", "pause", show=False),
        Binding("r", "lead", show=False),
        Binding("s", "steer", show=False),
        Binding("slash", "search", show=False),
        Binding("y", "copy", show=False),
        Binding("Y", "copy_all", show=False),
        Binding("e", "edit", show=False),
        Binding("z", "zoom", show=False),
        Binding("R", "report", show=False),
        Binding("question_mark,f1", "help", show=False),
        Binding("escape", "clear", show=False),
        Binding("q", "detach", show=False),
    ]

    def __init__(self, control: Control, folder: Path, *, read_only: bool) -> None:
        super().__init__()
        self.control = control
        self.folder = folder
        self.read_only = read_only
        self.known: Watch | None = None
        self.chosen = ""
        self.following = True
        """Whether the chosen step is always the current one, until a person chooses."""
        self.shown: Tab = "step"
        self._view: RunView | None = None
        self._feed = Feed(control, folder, self)
        self._asked_before = ""
        self._dirty = True
        self._offered_resume = False

    def compose(self) -> ComposeResult:
        """Everything is there before the journal is read."""
        yield Static(content([line((" migrator", "strong")), line((" reading the journal …", "dim"))]), id="top", markup=False)
        with Horizontal(id="body"):
            yield StepTree(id="tree")
            with Vertical(id="right"):
                with VerticalScroll(id="steppane", classes="pane shown"):
                    yield Static("", id="step", markup=False)
                yield Static("", id="tabs", markup=False)
                with Vertical(id="panes"):
                    yield LogView(id="log", classes="pane")
                    yield Table(id="table", classes="pane")
                    yield Static("", id="state", markup=False)
        yield SearchBar(id="search")
        yield Static("", id="ask", markup=False)
        yield Static("", id="keys", markup=False)

    def on_mount(self) -> None:
        """The journal is read from now on."""
        self.query_one("#tree").focus()
        self._arrange()
        self._feed.start()
        self.set_interval(_REDRAW_SECONDS, self._tick)

    def on_unmount(self) -> None:
        """Lets go of the journal."""
        self._feed.stop()

    # ---- what comes from the run

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        self._view = message.view
        self.known = Watch(self.folder, message.runbook, message.expected)
        from migrator.tui.app import MigratorApp

        if isinstance(self.app, MigratorApp):
            self.app.last = self.known

    @on(Fetched)
    def _fetched(self, message: Fetched) -> None:
        if self.known is None:
            return
        self.known.take(message.records, message.progress, message.alive)
        self._redraw()
        self._offer_resume()

    @on(Lost)
    def _lost(self, message: Lost) -> None:
        what, detail, then = words_of(message.error)
        from migrator.tui.dialogs import Tell, told_error

        self.query_one("#top", Static).update(content([line((" This run cannot be read", "bad")), line(f" {what}")]))
        self.app.push_screen(Tell("This run cannot be read", told_error(what, detail, then), severe=True))

    def _offer_resume(self) -> None:
        watch = self.known
        if watch is None or self._offered_resume or not watch.records:
            return
        self._offered_resume = True
        if watch.alive or watch.state.outcome or self.read_only:
            return
        from migrator.tui.resume import ResumeScreen

        self.app.push_screen(ResumeScreen(watch, self._lead), self._resumed)

    def _resumed(self, answer: str | None) -> None:
        if answer is None:
            self.action_detach()

    async def _lead(self) -> str:
        """Starts a runner; gives why it could not be, or empty."""
        from migrator.contracts.control import StartOptions

        try:
            await aside(lambda: self.control.resume(self.folder, StartOptions(attended=True)))
        except Exception as error:  # noqa: BLE001 - shown to the operator
            what, detail, then = words_of(error)
            return "\n".join(part for part in (what, detail, then) if part)
        return ""

    # ---- painting

    def _tick(self) -> None:
        if self.app.screen is self:
            self._redraw()

    def _redraw(self) -> None:
        watch = self.known
        if watch is None or not watch.records:
            return
        now, width = now_of(self), self.size.width
        if self.following or not self.chosen:
            self._follow(watch)
        self.query_one("#top", Static).update(content(top_lines(watch, now, width, read_only=self.read_only)))
        self.query_one(StepTree).show(watch, now)
        if self.following:
            self.query_one(StepTree).choose(self.chosen)
        self._redraw_right(watch)
        wanted = ask(watch, now)
        self.query_one("#ask", Static).update(content([self._ask_line(wanted)]))
        self.query_one("#keys", Static).update(content([self._key_line(wanted)]))
        self._call(wanted)

    def _follow(self, watch: Watch) -> None:
        current = watch.current() or self.chosen or next((s.id for s in watch.runbook.steps()), "")
        if current != self.chosen:
            self.chosen = current
            self.query_one("#steppane", VerticalScroll).scroll_home(animate=False)

    def _redraw_right(self, watch: Watch) -> None:
        now, log = now_of(self), self.query_one(LogView)
        step = self.step()
        if step is None:
            return
        if self._view is not None:
            log.show_file(self._view.log_path(step.id))
        if self._wide() or self.shown == "step":
            room = self.query_one("#steppane").size.width - 3
            lines = folded(step_lines(watch, step, now, log.commands), room)
            self.query_one("#step", Static).update(content(lines))
        if self.shown not in ("step", "log"):
            table = self.query_one(Table)
            table.follows = self.shown == "journal"
            table.show(self._table_lines(watch, step, table.size.width))
        self._state_line(log, step)

    def _table_lines(self, watch: Watch, step: Step, width: int) -> list[Line]:
        match self.shown:
            case "terraform":
                return terraform_lines(watch, step.id, width)
            case "database":
                return database_lines(watch, width)
            case "traffic":
                return traffic_lines(watch, width)
        return journal_lines(watch.records, now_of(self))

    def _state_line(self, log: LogView, step: Step) -> None:
        state = self.query_one("#state", Static)
        told = ""
        if self.shown == "log":
            told = f"{step.id}: {log.standing()}"
            if not log.store.lines:
                told = f"{step.id}: nothing in its log yet"
        elif self.shown != "step" and (only := self.query_one(Table).only):
            told = f"only lines with: {only}   Esc shows all"
        state.set_class(bool(told), "shown")
        state.update(content([line(told)]))

    def _ask_line(self, wanted: Ask) -> Line:
        mark = {"decision": "◆", "trouble": "✗", "lead": "!", "continue": "‖", "time": "◷", "ended": "■"}
        glyph = mark.get(wanted.want, "▶" if wanted.tone == "busy" else "·")
        if self.read_only and wanted.person:
            return line((f" {glyph} ", wanted.tone), (wanted.text, wanted.tone), ("  (you only watch)", "dim"))
        key = f"  {wanted.key}" if wanted.key else ""
        room = self.size.width - len(key) - 4
        text = wanted.text if len(wanted.text) <= room else wanted.text[: room - 1] + "…"
        return line((f" {glyph} ", wanted.tone), (text, wanted.tone), (key, "key"))

    def _key_line(self, wanted: Ask) -> Line:
        pairs = [("?", "help"), ("/", "find"), (".", "current")]
        if self.read_only:
            pairs.append(("s", "steer"))
        elif self.known and self.known.alive and not self.known.state.paused:
            pairs.append(("p", "pause"))
        elif self.known and self.known.state.paused:
            pairs.append(("c", "go on"))
        pairs += [("x", "choices"), ("1-6", "tabs")]
        if self.size.width >= 100:
            pairs += [("y", "copy"), ("e", "runbook"), ("R", "report"), ("z", "zoom")]
        pairs += [("^P", "all"), ("q", "leave")]
        spans = [part for key, word in pairs for part in line((f" {key}", "key"), f" {word} ")]
        return tuple(spans)

    def _call(self, wanted: Ask) -> None:
        """Title and bell when somebody is wanted, once for each reason."""
        reason = f"{wanted.want} {wanted.step}" if wanted.person else wanted.want if wanted.want == "ended" else ""
        watch = self.known
        if watch is None:
            return
        word = {"decision": "asks you", "trouble": "TROUBLE", "lead": "stands still", "continue": "paused"}
        mode = "rehearsal" if watch.state.mode == "rehearse" else "LIVE"
        told = word.get(wanted.want, str(watch.status()["state"]))
        from migrator.tui.app import MigratorApp

        if isinstance(self.app, MigratorApp):
            self.app.set_terminal_title(f"{told}: {watch.state.runbook} ({mode})")
        if reason and reason != self._asked_before:
            self.app.bell()
        self._asked_before = reason

    # ---- arrangement

    def _wide(self) -> bool:
        return self.size.width >= _WIDE_COLUMNS and self.size.height >= _WIDE_ROWS

    def on_resize(self, event: Resize) -> None:
        """The same parts, arranged anew."""
        self._arrange()
        self.call_after_refresh(self._redraw)

    def _arrange(self) -> None:
        wide = self._wide()
        self.set_class(wide, "wide")
        if wide and self.shown == "step":
            self.shown = "log"
        self.query_one("#steppane").set_class(wide or self.shown == "step", "shown")
        self.query_one(LogView).set_class(self.shown == "log", "shown")
        self.query_one(Table).set_class(self.shown not in ("step", "log"), "shown")
        self.query_one("#panes").display = self.shown != "step"
        self._tab_line()

    def _tab_line(self) -> None:
        spans: list[Span] = []
        for number, (name, long_word, short_word) in enumerate(TABS, 1):
            word = long_word if self._wide() else short_word
            on = name == self.shown
            spans += [(" ", ""), ("▸" if on else str(number), "key"), (word, "mark" if on else "dim")]
        self.query_one("#tabs", Static).update(content([tuple(spans)]))

    @on(Click, "#tabs")
    def _tab_clicked(self, event: Click) -> None:
        place = 0
        for name, long_word, short_word in TABS:
            place += 2 + len(long_word if self._wide() else short_word)
            if event.x < place:
                self.action_tab(name)
                return

    def action_tab(self, name: Tab) -> None:
        """Shows a tab and gives it the keys."""
        if name == "step" and self._wide():
            self.query_one("#steppane").focus()
            return
        if name != self.shown:
            self.query_one(Table).only = ""
        self.shown = name
        self._arrange()
        self.pane().focus()
        self._redraw()

    def action_zoom(self) -> None:
        """The right side over the whole width, or both again."""
        self.toggle_class("zoomed")
        self.pane().focus()

    def pane(self) -> Widget:
        """What the chosen tab shows."""
        if self.shown == "step":
            return self.query_one("#steppane")
        return self.query_one(LogView) if self.shown == "log" else self.query_one(Table)

    # ---- choosing

    def step(self) -> Step | None:
        """The chosen step."""
        if self.known is None or not self.chosen:
            return None
        return self.known.runbook.step(self.chosen)

    @on(Chosen)
    def _chosen(self, message: Chosen) -> None:
        self.following = False
        self.chosen = message.step
        self.query_one("#steppane", VerticalScroll).scroll_home(animate=False)
        self._redraw()

    def go_to(self, step: str) -> None:
        """Chooses a step, from the palette."""
        self.following, self.chosen = False, step
        self.query_one(StepTree).choose(step)
        self._redraw()

    def action_current(self) -> None:
        """Shows where the run is, and stays with it."""
        self.following = True
        self.query_one(StepTree).filter("")
        self._redraw()
        self.query_one(StepTree).focus()

    @on(Acted)
    def _acted(self, message: Acted) -> None:
        """Enter: answers what is asked; else shows the step."""
        watch = self.known
        if watch is None:
            return
        wanted = ask(watch, now_of(self))
        status = watch.step_status(message.step)
        step = watch.runbook.step(message.step)
        if status is StepStatus.WAITING and step.gate is not None:
            self._open_gate(step)
        elif status in (StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED, StepStatus.IN_DOUBT):
            self._open_choices(step)
        elif wanted.person and self.following and wanted.step:
            self.go_to(wanted.step)
        elif not self._wide():
            self.action_tab("step")

    # ---- orders

    async def send(self, request: Request) -> str:
        """Leaves an order; gives why it was refused, or empty."""
        if self.read_only:
            return "you only watch; press s to steer"
        try:
            return await aside(lambda: give(self.control, self.folder, request))
        except Exception as error:  # noqa: BLE001 - shown to the operator
            return words_of(error)[0]

    @work(group="orders")
    async def _order(self, request: Request, done: str) -> None:
        refused = await self.send(request)
        if refused:
            self.app.notify(f"Refused: {refused}", severity="error", markup=False, timeout=10)
        elif done:
            self.app.notify(done, markup=False, timeout=4)

    def _may_order(self) -> bool:
        if self.read_only:
            self.app.notify("You only watch. Press s to steer.", severity="warning", markup=False)
            return False
        return self.known is not None

    def action_pause(self) -> None:
        """Pauses after the steps at work; goes on when paused."""
        if not self._may_order() or self.known is None:
            return
        if self.known.state.paused:
            self._order(Request("continue"), "Goes on.")
        elif not self.known.alive:
            self.app.notify("Nobody leads this run. Press r to go on.", markup=False)
        else:
            self._order(Request("pause"), "Pauses after what is at work.")

    def action_go_on(self) -> None:
        """Goes on after a pause."""
        if self._may_order() and self.known is not None:
            if self.known.state.paused:
                self._order(Request("continue"), "Goes on.")
            else:
                self.app.notify("It is not paused.", markup=False)

    def action_lead(self) -> None:
        """Goes on with a run that nobody leads, through the resume screen."""
        watch = self.known
        if watch is None or not self._may_order():
            return
        if watch.alive or watch.state.outcome:
            self.app.notify("It is led already." if watch.alive else "It has ended.", markup=False)
            return
        from migrator.tui.resume import ResumeScreen

        self.app.push_screen(ResumeScreen(watch, self._lead))

    def action_decide(self) -> None:
        """Opens the decision that is wanted."""
        watch = self.known
        if watch is None:
            return
        wanted = ask(watch, now_of(self))
        if wanted.want == "decision":
            self._open_gate(watch.runbook.step(wanted.step))
        elif wanted.want == "trouble":
            self._open_choices(watch.runbook.step(wanted.step))
        else:
            self.app.notify("Nothing is asked of you now.", markup=False)

    def _open_gate(self, step: Step) -> None:
        if self.known is not None:
            from migrator.tui.deciding import GateDialog

            self.go_to(step.id)
            self.app.push_screen(GateDialog(self.known, step, self.send, read_only=self.read_only), self._decided)

    def _decided(self, answer: bool | None) -> None:
        if answer:
            self.action_current()

    def action_choices(self) -> None:
        """What may be done about the chosen step."""
        if step := self.step():
            self._open_choices(step)

    def _open_choices(self, step: Step) -> None:
        if self.known is None:
            return
        from migrator.tui.deciding import ChoicesDialog

        self.go_to(step.id)
        dialog = ChoicesDialog(self.known, step, read_only=self.read_only)
        self.app.push_screen(dialog, lambda choice: self._take_choice(step, choice) if choice else None)

    def _take_choice(self, step: Step, choice: object) -> None:
        from migrator.tui.choices import Choice

        if not isinstance(choice, Choice):
            return
        if choice.command == "detach":
            return self.action_detach()
        if choice.command == "mend":
            return self._mend(step)
        if choice.command == "retry":
            self._order(Request("retry", step.id), "Asked to try again.")
            return None
        from migrator.tui.dialogs import Typed

        lines = [line((step.title, "strong")), line(choice.consequence)]
        wanted = step.id if choice.command == "undo" else choice.typed
        box = Typed(choice.title, lines, wanted=wanted, reason=choice.asks_reason)
        self.app.push_screen(box, lambda why: self._after_reason(step, choice, why))
        return None

    def _after_reason(self, step: Step, choice: object, why: str | None) -> None:
        from migrator.tui.choices import Choice

        if why is None or not isinstance(choice, Choice):
            return
        named = "" if choice.command == "abort" else step.id
        self._order(Request(choice.command, named, why, choice.typed), f"{choice.title}: asked.")

    def _mend(self, step: Step) -> None:
        from migrator.tui.outside import shell

        with self.app.suspend():
            shell(self.folder)
        self._order(Request("retry", step.id, "mended in a shell"), "Asked to try again.")

    def action_steer(self) -> None:
        """From watching to steering, after a question."""
        if not self.read_only:
            self.app.notify("You steer already.", markup=False)
            return
        from migrator.tui.dialogs import Typed

        lines = [
            line("From now on your keys can order this run: approve, pause, retry, undo."),
            line("Whoever else steers it can do so as well. The journal names both."),
        ]
        self.app.push_screen(Typed("Steer this run?", lines, wanted="steer"), self._steered)

    def _steered(self, answer: str | None) -> None:
        if answer is not None:
            self.read_only = False
            self._redraw()

    def ask_to_leave(self) -> None:
        """Ctrl-C: pause, interrupt, detach, or back."""
        from migrator.tui.dialogs import Leave

        running = bool(self.known and self.known.alive)
        self.app.push_screen(Leave(running=running, may_order=not self.read_only), self._leave)

    def _leave(self, way: str | None) -> None:
        if way == "detach":
            self.action_detach()
        elif way == "pause":
            self._order(Request("pause"), "Pauses after what is at work.")
        elif way == "interrupt":
            self._order(Request("interrupt", reason="interrupted from the wizard"), "Interrupting what is at work.")

    def action_detach(self) -> None:
        """Leaves the screen; the run goes on."""
        self.dismiss()

    # ---- habits

    def logged_commands(self) -> list[str]:
        """Commands that the chosen step's log shows."""
        return self.query_one(LogView).commands

    def action_search(self) -> None:
        """Finds steps in the tree, or lines in the tab that has the keys."""
        in_tree = self.query_one(StepTree).has_focus or self.shown == "step"
        self.query_one(SearchBar).open("find a step" if in_tree else f"find in {self.shown}", self._find)

    def _find(self, text: str, done: bool) -> None:
        bar, tree = self.query_one(SearchBar), self.query_one(StepTree)
        if bar.place == "find a step":
            tree.filter(text)
            if done:
                tree.focus()
                if step := tree.chosen():
                    self.post_message(Chosen(step))
            return
        pane = self.pane()
        if isinstance(pane, LogView):
            pane.search(text)
            if done:
                pane.action_next_match(-1)
        elif isinstance(pane, Table):
            pane.only = text
        if done:
            pane.focus()
        self._redraw()

    def action_clear(self) -> None:
        """Escape: away with filters, then back to the tree."""
        self.query_one(StepTree).filter("")
        self.query_one(LogView).search("")
        self.query_one(Table).only = ""
        self.query_one(StepTree).focus()
        self._redraw()

    def copyable(self) -> str:
        """What `y` copies: the chosen log line, else the step's newest real command, else its id."""
        focused = self.focused
        if isinstance(focused, LogView) and focused.row_count():
            return focused.text_at(focused.cursor)
        if self.known is not None and (step := self.step()):
            found = commands_of(self.known, step, self.query_one(LogView).commands)
            return found[-1] if found else step.id
        return ""

    def action_copy(self) -> None:
        """Copies one line or command."""
        self.copy(self.copyable())

    def action_copy_all(self) -> None:
        """Copies the whole of what the chosen tab shows; of a log the newest 2,000 lines."""
        pane = self.pane()
        if isinstance(pane, LogView):
            self.copy("\n".join(pane.store.lines[-2_000:]))
        elif isinstance(pane, Table):
            self.copy(pane.text())
        elif self.known is not None and (step := self.step()):
            self.copy(plain(step_lines(self.known, step, now_of(self), self.query_one(LogView).commands)))

    def copy(self, text: str) -> None:
        """Puts cleaned text on the clipboard, on a person's key."""
        if not text:
            return
        self.app.copy_to_clipboard(plain([line(text)]))
        first = text.split("\n", 1)[0]
        self.app.notify(f"Copied: {first[:60]}{'…' if len(text) > 60 else ''}", markup=False, timeout=2)

    def action_edit(self) -> None:
        """The runbook at the step's line, in the operator's editor."""
        step = self.step()
        if self.known is None or step is None:
            return
        from migrator.tui.outside import look_at

        try:
            with self.app.suspend():
                told = look_at(Path(self.known.runbook.file), step.line)
        except OSError as error:
            told = f"The runbook cannot be opened: {error.strerror}"
        if told:
            self.app.notify(told, markup=False, timeout=10)

    def action_help(self) -> None:
        """The keys of this view."""
        from migrator.tui.dialogs import Tell

        self.app.push_screen(Tell("Keys", HELP))

    def action_report(self) -> None:
        """The report as it stands, and where it is kept."""
        from migrator.tui.reporting import ReportScreen

        self.app.push_screen(ReportScreen(self.control, self.folder))

