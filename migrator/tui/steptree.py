"""Phases and steps with their state. The chosen one is the one that the right side shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from migrator.model.runbook import Phase, Step
from migrator.model.state import StepStatus
from migrator.tui.facts import forecast, step_time
from migrator.tui.paint import Line, Span, Tone, fit, line
from migrator.tui.rows import Rows
from migrator.tui.steptext import look_of
from migrator.tui.watch import Watch

_WORD_CELLS = 8
_TIME_CELLS = 8
_ROOM_FOR_TIMES = 48


@dataclass(frozen=True)
class _Entry:
    phase: Phase
    step: Step | None = None


class Chosen(Message):
    """Another step was chosen by a person."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step


class Acted(Message):
    """Enter on a step."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step


class StepTree(Rows):
    """The tree. Left closes a phase, right opens it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home", "move(-9999)", show=False),
        Binding("end", "move(9999)", show=False),
        Binding("enter", "act", "act", show=False),
        Binding("left", "fold(True)", "close phase", show=False),
        Binding("right", "fold(False)", "open phase", show=False),
    ]
    has_cursor = True

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the framework's name
        super().__init__(id=id)
        self._watch: Watch | None = None
        self._now = datetime.min.replace(tzinfo=UTC)
        self._entries: list[_Entry] = []
        self._folded: set[str] = set()
        self._path: frozenset[str] = frozenset()
        self.needle = ""

    def show(self, watch: Watch, now: datetime) -> None:
        """The run as it is now."""
        first = self._watch is None
        self._watch, self._now = watch, now
        self._path = forecast(watch, now).path
        if first:
            self._list()
        self.refresh()

    def _list(self) -> None:
        watch, wanted = self._watch, self.needle.casefold()
        if watch is None:
            return
        chosen = self.chosen()
        self._entries = []
        for phase in watch.runbook.phases:
            steps = [s for s in phase.steps if wanted in f"{s.title} {s.id} {s.action}".casefold()]
            if wanted and not steps:
                continue
            self._entries.append(_Entry(phase))
            if wanted or phase.id not in self._folded:
                self._entries += [_Entry(phase, step) for step in steps]
        self.resized()
        places = [i for i, e in enumerate(self._entries) if e.step and e.step.id == chosen]
        self._place(places[0] if places else min(self.cursor, len(self._entries) - 1))

    def filter(self, needle: str) -> int:
        """Only steps whose title, id or action holds a text; gives how many."""
        self.needle = needle
        self._list()
        found = [i for i, entry in enumerate(self._entries) if entry.step]
        if needle and found and not self.chosen():
            self._place(found[0])
            self._tell()
        return len(found)

    def chosen(self) -> str:
        """The chosen step's id; empty on a phase."""
        if 0 <= self.cursor < len(self._entries):
            step = self._entries[self.cursor].step
            return step.id if step else ""
        return ""

    def choose(self, step: str, *, unfold: bool = True) -> None:
        """Chooses a step and brings it into sight. With `unfold`, its phase is opened and a filter is lifted."""
        if self._watch is None:
            return
        if unfold and not any(e.step and e.step.id == step for e in self._entries):
            self.needle = ""
            self._folded.discard(self._watch.runbook.step(step).phase)
            self._list()
        for index, entry in enumerate(self._entries):
            if entry.step and entry.step.id == step:
                self._place(index)

    def _place(self, index: int) -> None:
        self.cursor = max(0, index)
        height = self.scrollable_content_region.height
        if height:
            top = self.scroll_offset.y
            margin = min(2, height // 4)
            if self.cursor < top + margin:
                self.scroll_to(y=max(0, self.cursor - margin), animate=False, force=True)
            elif self.cursor >= top + height - margin:
                self.scroll_to(y=self.cursor - height + 1 + margin, animate=False, force=True)
        self.refresh()

    def on_resize(self) -> None:
        """Keeps the chosen row in sight."""
        self._place(self.cursor)

    def action_move(self, by: int) -> None:
        """Chooses another row."""
        if self._entries:
            self._place(min(max(0, self.cursor + by), len(self._entries) - 1))
            self._tell()

    def _tell(self) -> None:
        if step := self.chosen():
            self.post_message(Chosen(step))

    def action_act(self) -> None:
        """Enter: opens or closes a phase, or acts on a step."""
        if not self._entries:
            return
        entry = self._entries[self.cursor]
        if entry.step is None:
            self.action_fold(entry.phase.id not in self._folded)
        else:
            self.post_message(Acted(entry.step.id))

    def action_fold(self, close: bool) -> None:
        """Closes or opens the phase of the chosen row."""
        if not self._entries or self.needle:
            return
        phase = self._entries[self.cursor].phase
        (self._folded.add if close else self._folded.discard)(phase.id)
        self._list()
        if close:
            self._place(next(i for i, e in enumerate(self._entries) if e.phase is phase))

    def on_click(self, event: events.Click) -> None:
        """The mouse chooses; a second click acts."""
        index = self.scroll_offset.y + event.y
        if index < len(self._entries):
            again = index == self.cursor
            self._place(index)
            self._tell()
            if again and event.chain > 1:
                self.action_act()

    def row_count(self) -> int:
        """Rows of the tree."""
        return len(self._entries) if self._watch else 1

    def row(self, index: int) -> Line:
        """One row, as wide as the view."""
        if self._watch is None:
            return line()
        entry = self._entries[index]
        return self._step_row(entry.step, index) if entry.step else self._phase_row(entry.phase, index)

    def _phase_row(self, phase: Phase, index: int) -> Line:
        width = self.scrollable_content_region.width
        watch = self._watch
        if watch is None:
            return ()
        settled = sum(watch.step_status(s).settled for s in phase.steps)
        count = f"{settled}/{len(phase.steps)}"
        mark = "▌" if index == self.cursor else " "
        arrow = "▸" if phase.id in self._folded and not self.needle else "▾"
        return line(
            (mark, "key"),
            (f"{arrow} ", "dim"),
            (fit(phase.title, width - 5 - len(count)), "head"),
            (f" {count} ", "dim"),
        )

    def _step_row(self, step: Step, index: int) -> Line:
        width = self.scrollable_content_region.width
        watch = self._watch
        if watch is None:
            return ()
        look = look_of(watch, step)
        times = width >= _ROOM_FOR_TIMES
        room = width - 6 - _WORD_CELLS - (_TIME_CELLS + 1) * times
        title_tone: Tone = "dim" if watch.step_status(step) is StepStatus.PENDING else ""
        spans: list[Span] = [("▌" if index == self.cursor else " ", "key"), (self._beside(step), "busy")]
        spans += [(f"{look.glyph} ", look.tone), (fit(step.title, room), title_tone)]
        if times:
            slow = step.id in self._path and watch.step_status(step) is StepStatus.RUNNING
            spans.append((f" {step_time(watch, step, self._now):>{_TIME_CELLS}}", "busy" if slow else "dim"))
        spans.append((f" {look.word:<{_WORD_CELLS}} ", look.tone))
        return tuple(spans)

    def _beside(self, step: Step) -> str:
        """A double bar before steps that are at work side by side."""
        watch = self._watch
        if watch is None or watch.step_status(step) is not StepStatus.RUNNING:
            return " "
        return "‖" if len(watch.with_status(StepStatus.RUNNING)) > 1 else " "
