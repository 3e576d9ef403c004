"""The run screen: the tree on the left, the chosen step and its tabs on the right, what is wanted at the bottom."""

from __future__ import annotations

import gc
import threading
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Click
from textual.widgets import Static

from migrator.contracts.control import Control, RunView
from migrator.model.runbook import Step
from migrator.tui.asks import Ask, ask
from migrator.tui.facts import top_lines
from migrator.tui.feed import Feed, Fetched, Lost, NotThere, Opened, Where, words_of
from migrator.tui.logview import LogView, Stands
from migrator.tui.paint import Line, Span, content, folded, line
from migrator.tui.rows import Resized, Table
from migrator.tui.runbase import Tab
from migrator.tui.runhabits import Habits
from migrator.tui.searchbar import SearchBar
from migrator.tui.steering import Steering
from migrator.tui.steptext import step_lines
from migrator.tui.steptree import Chosen, StepTree
from migrator.tui.tables import database_lines, journal_lines, terraform_lines, traffic_lines
from migrator.tui.timekeeping import now_of
from migrator.tui.watch import Watch

TABS: tuple[tuple[Tab, str, str], ...] = (
    ("step", "Step", "Step"),
    ("log", "Log", "Log"),
    ("terraform", "Terraform", "TF"),
    ("database", "Database", "DB"),
    ("traffic", "Traffic", "Traffic"),
    ("journal", "Journal", "Journal"),
)
_REDRAW_SECONDS = 0.25
_COLLECT = (700, 10, 25)
_WIDE_COLUMNS, _WIDE_ROWS = 120, 36


class StepPane(VerticalScroll):
    """Where the step's text is. It is folded anew in another width."""

    def on_resize(self) -> None:
        """Asks for the text."""
        self.post_message(Resized())


class RunScreen(Steering, Habits):
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
        Binding("a", "all_logs", show=False),
        Binding("z", "zoom", show=False),
        Binding("R", "report", show=False),
        Binding("question_mark,f1", "help", show=False),
        Binding("escape", "clear", show=False),
        Binding("q", "detach", show=False),
    ]

    def __init__(
        self, control: Control, where: Where, *, read_only: bool, opening: str = "reading the journal …"
    ) -> None:
        super().__init__(control, where, read_only=read_only)
        self._view: RunView | None = None
        self._feed = Feed(control, where, self)
        self._opening = opening
        self._all_logs = False
        self._there = isinstance(where, Path)
        self._asked_before = ""
        self._second = 0
        self._painted: dict[str, list[Line]] = {}

    def compose(self) -> ComposeResult:
        """All parts, before the journal is read."""
        title = line((" migrator ", "strong"), (self._opening, "dim"))
        yield Static(content([title]), id="top", markup=False)
        with Horizontal(id="body"):
            yield StepTree(id="tree")
            with Vertical(id="right"):
                with StepPane(id="steppane", classes="pane shown"):
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
        """The run is read from now on."""
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
        self._there = True
        self._view = message.view
        self.folder = message.view.folder
        self.known = Watch(self.folder, message.runbook, message.expected)
        from migrator.tui.app import MigratorApp

        if isinstance(self.app, MigratorApp):
            self.app.last = self.known
        if not self.app.is_headless:
            threading.Thread(target=_settle, name="settling", daemon=True).start()

    @on(Fetched)
    def _fetched(self, message: Fetched) -> None:
        if self.known is None:
            return
        self.known.take(message.records, message.progress, message.alive)
        self.redraw()
        self.offer_resume()

    def action_detach(self) -> None:
        """Leaves; not while the run is being begun, for then nobody would know of it."""
        if self._there:
            super().action_detach()
        else:
            self.app.notify("One moment: the run is not there yet.", markup=False, timeout=2)

    @on(NotThere)
    def _not_there(self, message: NotThere) -> None:
        from migrator.tui.app import MigratorApp

        if isinstance(self.app, MigratorApp):
            self.app.give_up(message.error)

    @on(Lost)
    def _lost(self, message: Lost) -> None:
        self._there = True
        what, detail, then = words_of(message.error)
        from migrator.tui.dialogs import Tell, told_error

        self.query_one("#top", Static).update(
            content([line((" This run cannot be read", "bad")), line(f" {what}")])
        )
        self.app.push_screen(Tell("This run cannot be read", told_error(what, detail, then), severe=True))

    # ---- painting

    @on(Resized)
    @on(Stands)
    def _changed(self) -> None:
        self.redraw()

    def _tick(self) -> None:
        """Clocks go on by the second; what is new has been painted already."""
        second = int(now_of(self).timestamp())
        if self.app.screen is self and second != self._second:
            self._second = second
            self.redraw()

    def _paint(self, selector: str, lines: list[Line]) -> None:
        """Text of a part of the screen, painted only when it is another."""
        if self._painted.get(selector) != lines:
            self._painted[selector] = lines
            self.query_one(selector, Static).update(content(lines))

    def redraw(self) -> None:
        watch = self.known
        if watch is None or not watch.records:
            return
        now, width = now_of(self), self.size.width
        if self.following or not self.chosen:
            self._follow(watch)
        self._paint("#top", top_lines(watch, now, width, read_only=self.read_only))
        self.query_one(StepTree).show(watch, now)
        if self.following:
            self.query_one(StepTree).choose(self.chosen, unfold=False)
        self._redraw_right(watch)
        wanted = ask(watch, now)
        self._paint("#ask", [self._ask_line(wanted)])
        self._paint("#keys", [self._key_line()])
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
            logs = (
                [s.id for s in watch.runbook.steps() if watch.of_step(s.id)] if self._all_logs else [step.id]
            )
            log.show_files(tuple((name, self._view.log_path(name)) for name in logs or [step.id]))
        if self.wide() or self.shown == "step":
            room = self.query_one("#steppane").outer_size.width - 4
            lines = folded(step_lines(watch, step, now, log.commands), room)
            self._paint("#step", lines)
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
            whose = "all steps" if self._all_logs else step.id
            told = f"{whose}: {log.standing() if log.store.lines else 'nothing in the log yet'}"
        elif self.shown != "step" and (only := self.query_one(Table).only):
            told = f"only lines with: {only}   Esc shows all"
        state.set_class(bool(told), "shown")
        self._paint("#state", [line(told)])

    def _ask_line(self, wanted: Ask) -> Line:
        mark = {"decision": "◆", "trouble": "✗", "lead": "!", "continue": "‖", "time": "◷", "ended": "■"}
        glyph = mark.get(wanted.want, "▶" if wanted.tone == "busy" else "·")
        if self.read_only and wanted.person:
            return line(
                (f" {glyph} ", wanted.tone), (wanted.text, wanted.tone), ("  (you only watch)", "dim")
            )
        key = f"  {wanted.key}" if wanted.key else ""
        room = self.size.width - len(key) - 4
        text = wanted.text if len(wanted.text) <= room else wanted.text[: room - 1] + "…"
        return line((f" {glyph} ", wanted.tone), (text, wanted.tone), (key, "key"))

    def _key_line(self) -> Line:
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
        reason = (
            f"{wanted.want} {wanted.step}" if wanted.person else wanted.want if wanted.want == "ended" else ""
        )
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

    def wide(self) -> bool:
        return self.size.width >= _WIDE_COLUMNS and self.size.height >= _WIDE_ROWS

    def on_resize(self) -> None:
        """The same parts, arranged anew."""
        self._arrange()
        self.call_after_refresh(self.redraw)

    def _arrange(self) -> None:
        wide = self.wide()
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
            word = long_word if self.wide() else short_word
            on = name == self.shown
            spans += [(" ", ""), ("▸" if on else str(number), "key"), (word, "mark" if on else "dim")]
        self.query_one("#tabs", Static).update(content([tuple(spans)]))

    @on(Click, "#tabs")
    def _tab_clicked(self, event: Click) -> None:
        place = 0
        for name, long_word, short_word in TABS:
            place += 2 + len(long_word if self.wide() else short_word)
            if event.x < place:
                self.action_tab(name)
                return

    def action_tab(self, name: Tab) -> None:
        """Shows a tab and gives it the keys."""
        if name == "step" and self.wide():
            self.query_one("#steppane").focus()
            return
        if name != self.shown:
            self.query_one(Table).only = ""
        self.shown = name
        self._arrange()
        self.pane().focus()
        self.redraw()
        self.call_after_refresh(self.redraw)

    def action_all_logs(self) -> None:
        """The logs of all steps together, in the order of their times, or the chosen step's alone."""
        self._all_logs = not self._all_logs
        self.action_tab("log")

    def action_zoom(self) -> None:
        """The right side over the whole width, or both again."""
        self.toggle_class("zoomed")
        self.pane().focus()

    # ---- choosing

    @on(Chosen)
    def _chosen(self, message: Chosen) -> None:
        self.following = False
        self.chosen = message.step
        self.query_one("#steppane", VerticalScroll).scroll_home(animate=False)
        self.redraw()

    def go_to(self, step: str) -> None:
        """Chooses a step, from the palette."""
        self.following, self.chosen = False, step
        self.query_one(StepTree).choose(step)
        self.redraw()

    def action_current(self) -> None:
        """Shows where the run is, and stays with it."""
        self.following = True
        self.query_one(StepTree).filter("")
        self.redraw()
        self.query_one(StepTree).choose(self.chosen)
        self.query_one(StepTree).focus()


def _settle() -> None:
    """After the first frames: the first key that opens a box is answered as fast as the next, and so are all keys."""
    for name in ("dialogs", "deciding", "resume", "reporting", "runkeys", "palette"):
        import_module(f"migrator.tui.{name}")
    # The framework keeps some hundred thousand small objects as a cache of what is painted. Walking them all takes
    # 100 ms, in which no key is answered: what stays for ever is left out, and the rest is walked less often.
    gc.freeze()
    gc.set_threshold(*_COLLECT)
