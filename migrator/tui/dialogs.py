"""Boxes that ask one thing and give one answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, Literal, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from migrator.tui.paint import Line, content, folded, line

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """A titled box with text that scrolls, and a line that says which keys there are."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > .box { width: 92%; max-width: 104; height: auto; max-height: 94%; background: $surface;
                    border: round $accent; padding: 0 1; }
    Dialog.severe > .box { border: heavy $error; }
    Dialog .box > VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    Dialog .box > .words { height: auto; }
    Dialog .box > .told { height: auto; }
    Dialog .box > Input { margin: 0; height: 1; border: none; padding: 0 1; background: $panel; }
    Dialog .box > Input:focus { border: none; background: $primary 25%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup", "scroll(-8)", show=False),
        Binding("pagedown", "scroll(8)", show=False),
    ]
    severe = False
    widest = 104
    AUTO_FOCUS = ""

    def compose(self) -> ComposeResult:
        """The box, its text, the fields of the child, and the keys."""
        with Vertical(classes="box") as box:
            box.border_title = content([line(self.heading())])
            with VerticalScroll(id="scroll", can_focus=False):
                yield Static(content([]), id="body", classes="words", markup=False)
            yield from self.fields()
            yield Static(content([self.keys()]), id="told", classes="told", markup=False)

    def on_mount(self) -> None:
        """Marks a severe box."""
        self.set_class(self.severe, "severe")
        self.redraw()

    def heading(self) -> str:
        """The title."""
        return ""

    def body(self) -> Sequence[Line]:
        """The text."""
        return ()

    def fields(self) -> ComposeResult:
        """Fields to fill in."""
        yield from ()

    def keys(self) -> Line:
        """The keys, in words."""
        return line(("Esc", "key"), " back")

    def tell(self, told: Line) -> None:
        """Says something in the place of the keys."""
        self.query_one("#told", Static).update(content([told]))

    def redraw(self) -> None:
        """Paints the text anew, and gives it what room there is."""
        scroll = self.query_one("#scroll", VerticalScroll)
        # The box's border and padding take four cells, its scrollbar one.
        lines = folded(self.body(), min(int(self.app.size.width * 0.92), self.widest) - 5)
        scroll.styles.max_height = max(3, round(self.app.size.height * 0.94) - 4 - len(self.query(Input)))
        self.query_one("#body", Static).update(content(lines))

    def on_resize(self) -> None:
        """The same text in another room."""
        self.redraw()

    def action_leave(self) -> None:
        """Away, with no answer."""
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        """Moves the text."""
        self.query_one("#scroll", VerticalScroll).scroll_relative(y=by, animate=False)


class Tell(Dialog[None]):
    """Says something; any of the usual keys takes it away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q", "leave", show=False)]

    def __init__(self, heading: str, lines: Sequence[Line], *, severe: bool = False) -> None:
        super().__init__()
        self._heading = heading
        self._lines = lines
        self.severe = severe

    def heading(self) -> str:
        """The title."""
        return self._heading

    def body(self) -> Sequence[Line]:
        """The text."""
        return self._lines

    def keys(self) -> Line:
        """The keys."""
        return line(("Enter", "key"), " go on")


def told_error(what: str, detail: str, then: str) -> list[Line]:
    """An error in words, the tool's own words beneath, and what to do next."""
    rows = [line((what, "strong"))]
    if then:
        rows += [line(), line(("Next: ", "ask"), then)]
    if detail:
        rows += [line(), line(("In the tool's own words", "head")), line((detail, "dim"))]
    return rows


class Typed(Dialog[str]):
    """Asks for a text that must be typed exactly, a reason, or both. Gives the reason (maybe empty), or none.

    `wanted` empty asks for a reason only, and then it must not be empty.
    """

    def __init__(
        self, heading: str, lines: Sequence[Line], *, wanted: str = "", reason: bool = False
    ) -> None:
        super().__init__()
        self._heading = heading
        self._lines = lines
        self._wanted = wanted
        self._reason = reason
        self.severe = bool(wanted)

    def heading(self) -> str:
        """The title."""
        return self._heading

    def body(self) -> Sequence[Line]:
        """The text, and what is to be typed."""
        rows = list(self._lines)
        if self._wanted:
            rows += [line(), line("Type exactly:  ", (self._wanted, "strong"))]
        return rows

    def fields(self) -> ComposeResult:
        """The fields that are asked for."""
        if self._reason:
            yield Input(placeholder="why (goes into the report, with your name)", id="reason", max_length=500)
        if self._wanted:
            yield Input(placeholder="type it here", id="typed", max_length=200)

    def on_mount(self) -> None:
        """The first field is ready for typing."""
        super().on_mount()
        self.query(Input).first().focus()

    def keys(self) -> Line:
        """The keys."""
        return line(
            ("Enter", "key"),
            " do it   ",
            ("Tab", "key"),
            " next field   ",
            ("Esc", "key"),
            " back, nothing is done",
        )

    def on_input_submitted(self) -> None:
        """Enter counts only when everything asked for is there."""
        reason = self.query_one("#reason", Input).value.strip() if self._reason else ""
        if self._reason and not reason:
            self.query_one("#reason", Input).focus()
            return self.tell(line(("Say why first.", "ask")))
        if self._wanted and self.query_one("#typed", Input).value.strip() != self._wanted:
            self.query_one("#typed", Input).focus()
            return self.tell(line((f"That is not {self._wanted}. Nothing was done.", "ask")))
        self.dismiss(reason)
        return None


Leaving = Literal["pause", "interrupt", "detach"]


class Leave(Dialog[Leaving]):
    """Ctrl-C: three ways, from gentle to hard, and back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "take('pause')", show=False),
        Binding("i", "take('interrupt')", show=False),
        Binding("d,q", "take('detach')", show=False),
    ]

    def __init__(self, *, running: bool, may_order: bool) -> None:
        super().__init__()
        self._led = running
        self._may_order = may_order

    def heading(self) -> str:
        """The title."""
        return "What do you want?"

    def body(self) -> Sequence[Line]:
        """Each way with what follows from it."""
        why = "" if self._led else "not now: nobody leads this run"
        if not self._may_order:
            why = "not now: you only watch"
        return [
            *_way("p", "Pause after this step", _PAUSE, why),
            line(),
            *_way("i", "Interrupt now", _INTERRUPT, why),
            line(),
            *_way("d", "Detach", _DETACH, ""),
        ]

    def keys(self) -> Line:
        """The keys."""
        return line(("Esc", "key"), " back to the run, nothing happens")

    def action_take(self, way: Leaving) -> None:
        """One of the three."""
        if way != "detach" and not (self._may_order and self._led):
            return self.tell(line(("That is not possible now. d detaches, Esc goes back.", "ask")))
        self.dismiss(way)
        return None


_PAUSE = "What is at work ends in peace. Nothing new begins until you say go on."
_INTERRUPT = (
    "The step at work is stopped in the middle. It is in doubt afterwards, and the world is asked "
    "before anything is sent again. Slower than a pause in the end."
)
_DETACH = "Closes this screen only. The run goes on without it; come back with migrator attach."


def _way(key: str, title: str, follows: str, refused: str) -> list[Line]:
    """One way with what follows from it."""
    if refused:
        return [
            line((f"{key}  ", "dim"), (title, "dim"), (f"   {refused}", "ask")),
            line((f"   {follows}", "dim")),
        ]
    return [line((f"{key}  ", "key"), (title, "strong")), line(f"   {follows}")]
