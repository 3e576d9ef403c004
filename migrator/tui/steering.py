"""Orders from the run screen: decisions, choices, pause, and going on with a run that nobody leads."""

from __future__ import annotations

from textual import on, work

from migrator.contracts.control import StartOptions
from migrator.model.runbook import Step
from migrator.model.state import StepStatus
from migrator.tui.asks import ask
from migrator.tui.choices import Choice
from migrator.tui.feed import words_of
from migrator.tui.orders import Request, aside, give
from migrator.tui.paint import line
from migrator.tui.runbase import RunBase
from migrator.tui.steptree import Acted
from migrator.tui.timekeeping import now_of


class Steering(RunBase):
    """The keys that cause something. All of them go through an order that the runner may refuse."""

    _offered_resume = False

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
        elif wanted.want in ("decision", "trouble") and self.following:
            self.action_decide()
        elif not self.wide():
            self.action_tab("step")

    def offer_resume(self) -> None:
        watch = self.known
        if watch is None or self._offered_resume or not watch.records:
            return
        self._offered_resume = True
        if watch.alive or watch.state.outcome or self.read_only:
            return
        from migrator.tui.resume import ResumeScreen

        self.app.push_screen(ResumeScreen(watch, self._lead, self._ask_the_world), self._resumed)

    def _resumed(self, answer: str | None) -> None:
        if answer is None:
            self.action_detach()

    async def _lead(self) -> str:
        """Starts a runner; gives why it could not be, or empty."""
        return await self._start(StartOptions(attended=True))

    async def _ask_the_world(self) -> str:
        """Starts a runner that only looks; gives why it could not be, or empty."""
        return await self._start(StartOptions(attended=False, only_look=True))

    async def _start(self, options: StartOptions) -> str:
        try:
            await aside(lambda: self.control.resume(self.folder, options))
        except Exception as error:  # noqa: BLE001 - shown to the operator
            what, detail, then = words_of(error)
            return "\n".join(part for part in (what, detail, then) if part)
        return ""

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

        self.app.push_screen(ResumeScreen(watch, self._lead, self._ask_the_world))

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
            self.app.push_screen(
                GateDialog(self.known, step, self.send, read_only=self.read_only), self._decided
            )

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

    def _take_choice(self, step: Step, choice: Choice) -> None:
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

    def _after_reason(self, step: Step, choice: Choice, why: str | None) -> None:
        if why is None:
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
            self.redraw()

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
            self._order(
                Request("interrupt", reason="interrupted from the wizard"), "Interrupting what is at work."
            )
