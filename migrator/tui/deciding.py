"""Where a person decides: gates with their evidence, and ways to go on after trouble."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from migrator.model.downtime import downtime
from migrator.model.runbook import Step
from migrator.model.state import StepStatus
from migrator.tui.choices import Choice, choices
from migrator.tui.dialogs import Dialog
from migrator.tui.facts import side_span
from migrator.tui.orders import Request
from migrator.tui.paint import Line, line, safe
from migrator.tui.steptext import doubt_lines, evidence_lines, look_of, trouble_lines
from migrator.tui.timekeeping import now_of
from migrator.tui.watch import Watch
from migrator.tui.words import duration, plural

Send = Callable[[Request], Awaitable[str]]
"""Leaves an order; gives why it was refused, or empty."""
_REDRAW_SECONDS = 0.5


class GateDialog(Dialog[bool]):
    """A gate: the question, both answers with what follows, the evidence with its age. Gives true after a yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", show=False),
        Binding("n", "leave", show=False),
        Binding("w", "why", show=False),
    ]

    def __init__(self, watch: Watch, step: Step, send: Send, *, read_only: bool) -> None:
        super().__init__()
        self._watch = watch
        self._step = step
        self._send = send
        self._read_only = read_only
        self._confirm = str(watch.step(step).gate.get("confirm", ""))
        self._asking = False
        self.severe = bool(self._confirm) or step.ponr is not None

    def on_mount(self) -> None:
        """Ages go on while the box is open. A typed answer's field is ready."""
        super().on_mount()
        self.set_interval(_REDRAW_SECONDS, self._tick)
        if self._confirm and not self._read_only:
            self.query_one("#typed", Input).focus()

    def heading(self) -> str:
        """The title."""
        return f"Your decision: {self._step.title}"

    def body(self) -> Sequence[Line]:
        """Question, answers, evidence, and what else bears on it."""
        gate, now = self._step.gate, now_of(self)
        if gate is None:
            return ()
        rows = [line((gate.question, "ask")), line()]
        rows += [line(("Yes  ", "good"), gate.yes), line(("No   ", "strong"), gate.no), line()]
        rows += self._costs()
        rows += [line(("Now  ", "head"), side_span(self._watch.status(), short=False))]
        if window := downtime(self._watch.state, self._watch.runbook, now):
            told = f"users wait for {duration(window.seconds)}" if window.running else "users do not wait"
            rows.append(line(("     ", ""), (told, "bad" if window.running else "dim")))
        if self._step.ponr is not None:
            rows.append(line(("     This is a point of no return.", "bad")))
        rows += [line(), *evidence_lines(self._watch, self._step, now)]
        return rows

    def _costs(self) -> list[Line]:
        cost = self._watch.runbook.cost
        if not cost or self._step.phase != self._watch.runbook.phases[0].id:
            return []
        old, new = sum(c.old_usd for c in cost), sum(c.new_usd for c in cost)
        told = f"{old:,.2f} USD a month today, {new:,.2f} on the new side; both until the old one is deleted"
        return [line(("Cost ", "head"), told)]

    def fields(self) -> ComposeResult:
        """A reason for every yes, and the typed text for a severe one."""
        if self._read_only:
            return
        yield Input(placeholder="why (w; may stay empty; goes into the report)", id="reason", max_length=500)
        if self._confirm:
            yield Input(placeholder=f"to say yes, type: {safe(self._confirm)}", id="typed", max_length=200)

    def keys(self) -> Line:
        """The keys."""
        if self._read_only:
            return line(("You only watch. ", "ask"), ("Esc", "key"), " back, then s to steer")
        yes: Line = (
            line(("Enter", "key"), " in the field: yes") if self._confirm else line(("y", "key"), " yes")
        )
        return (*yes, *line("   ", ("Esc", "key"), " not now, the run waits   ", ("w", "key"), " say why"))

    def _tick(self) -> None:
        if self._watch.step_status(self._step) is not StepStatus.WAITING and not self._asking:
            self.dismiss(False)
            return
        self.redraw()

    def action_why(self) -> None:
        """To the field for a reason."""
        if not self._read_only:
            self.query_one("#reason", Input).focus()

    def action_yes(self) -> None:
        """Yes, unless a text must be typed for it."""
        if self._read_only:
            return
        if self._confirm:
            self.tell(line((f"Type {self._confirm} and press Enter for yes.", "ask")))
        else:
            self._ask("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the typed field is the yes; in the reason's field it goes back to the question."""
        if event.input.id == "reason":
            target = self.query("#typed")
            if target:
                target.first(Input).focus()
            else:
                self.set_focus(None)
            return
        typed = event.value.strip()
        if typed != self._confirm:
            self.tell(line((f"That is not {self._confirm}. Nothing was decided.", "ask")))
        else:
            self._ask(typed)

    @work(exclusive=True)
    async def _ask(self, typed: str) -> None:
        """Leaves the yes; the runner reads the evidence afresh when it is old."""
        if self._asking:
            return
        self._asking = True
        self.tell(line(("Said yes. The runner looks at the evidence once more …", "busy")))
        checks = list(self._watch.step(self._step).gate.get("checks", []))
        green = sum(bool(c["ok"]) for c in checks)
        question = self._step.gate.question if self._step.gate else ""
        shown = f"{question} [{green} of {plural(len(checks), 'check')} green]"
        reason = self.query_one("#reason", Input).value.strip()
        refused = await self._send(Request("approve", self._step.id, reason, typed, shown))
        self._asking = False
        if refused:
            self.redraw()
            self.tell(line(("Refused: ", "bad"), refused))
        else:
            self.dismiss(True)


class ChoicesDialog(Dialog[Choice]):
    """After trouble, or for any step: what may be done, with its consequence; what may not, and why."""

    def __init__(self, watch: Watch, step: Step, *, read_only: bool) -> None:
        super().__init__()
        self._watch = watch
        self._step = step
        self._choices = choices(watch, step, read_only=read_only)
        self._at = next((i for i, c in enumerate(self._choices) if not c.refused), 0)

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "move(1)", show=False),
        Binding("shift+tab", "move(-1)", show=False),
        Binding("enter", "take", show=False),
        *(Binding(key, f"press('{key}')", show=False) for key in "tmusad"),
    ]

    def heading(self) -> str:
        """The title."""
        look = look_of(self._watch, self._step)
        return f"{look.glyph} {look.word}: {self._step.title}"

    def body(self) -> Sequence[Line]:
        """The trouble in words, then the ways to go on."""
        watch, step = self._watch, self._step
        status = watch.step_status(step)
        rows: list[Line] = []
        if status is StepStatus.IN_DOUBT:
            rows += [*doubt_lines(watch, step, now_of(self)), line()]
        elif status in (StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.UNDO_FAILED):
            rows += [*trouble_lines(watch, step), line()]
        rows.append(line(("How to go on", "head")))
        for index, choice in enumerate(self._choices):
            rows += self._choice(choice, chosen=index == self._at)
        return rows

    def _choice(self, choice: Choice, *, chosen: bool) -> list[Line]:
        mark = "▌" if chosen else " "
        if choice.refused:
            return [
                line(
                    (mark, "key"),
                    (f"{choice.key}  {choice.title}", "dim"),
                    (f"  not now: {choice.refused}", "ask"),
                ),
            ]
        title = line((mark, "key"), (f"{choice.key}  ", "key"), (choice.title, "strong"))
        return [title, line((mark, "key"), (f"   {choice.consequence}", ""))]

    def keys(self) -> Line:
        """The keys."""
        return line(
            ("Tab", "key"), " next   ", ("Enter", "key"), " choose, or its letter   ", ("Esc", "key"), " back"
        )

    def action_move(self, by: int) -> None:
        """The next way that can be chosen."""
        for _ in self._choices:
            self._at = (self._at + by) % len(self._choices)
            if not self._choices[self._at].refused:
                break
        self.redraw()

    def action_press(self, key: str) -> None:
        """A way by its letter."""
        self._at = next(i for i, c in enumerate(self._choices) if c.key == key)
        self.action_take()

    def action_take(self) -> None:
        """The chosen way, unless it cannot be chosen."""
        choice = self._choices[self._at]
        self.redraw()
        if choice.refused:
            self.tell(line((f"Not now: {choice.refused}", "ask")))
        else:
            self.dismiss(choice)
