"""The answers to what is asked of a running engine: stop, checkpoint, evaluate, epochs."""

from __future__ import annotations

import time

from engine.contract.control import Request
from engine.contract.events import RequestDone
from engine.evaluate import evaluate
from engine.job import Job, record_validation
from engine.saving import save_last
from engine.snapshot import generators, restore_generators


class Answers:
    """Gives each request its answer, between two steps."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def give(self) -> str:
        """Answer all that is asked. A reason when the run is to stop here, else nothing."""
        control = self.job.control
        for line in control.unreadable:
            self.job.recorder.warn(
                f"a line of control.jsonl is no request: {line}", "control.jsonl", ""
            )
        control.unreadable.clear()
        stop = f"{control.signalled} was received" if control.signalled else ""
        for request in control.take():
            outcome, reason = self._answer(request)
            stop = stop or reason
            if outcome:
                self._done(request, outcome)
        return stop

    def _answer(self, request: Request) -> tuple[str, str]:
        """(the outcome in words or nothing as yet, the reason to stop now)."""
        match request.request:
            case "stop" if request.after == "epoch":
                self.job.stop_after_epoch = True
                return f"stops after epoch {self.job.progress.epoch + 1}", ""
            case "stop":
                return f"stops at step {self.job.progress.step}", "stop was asked for"
            case "checkpoint":
                self._checkpoint(request)
                return "", ""
            case "evaluate":
                return self._evaluate(), ""
            case "epochs":
                return self._epochs(request.epochs), ""

    def _checkpoint(self, request: Request) -> None:
        """Answered when it is there, or known not to be."""

        def answer(saved: bool) -> None:
            self._done(request, "saved checkpoints/last.pt" if saved else "could not be written")

        save_last(self.job, answer)

    def _evaluate(self) -> str:
        """Between two steps, leaving no trace in the numbers that follow."""
        parts = self.job.parts
        before, began = generators(parts.device), time.monotonic()
        metrics = evaluate(parts)
        restore_generators(before, parts.device)
        parts.freezing.train_mode(parts.model)
        if not metrics:
            return "there is no validation data"
        record_validation(self.job, metrics, time.monotonic() - began, requested=True)
        return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())

    def _epochs(self, epochs: int | None) -> str:
        job = self.job
        if epochs is None or epochs <= job.progress.epoch:
            return f"refused: epoch {job.progress.epoch + 1} is under way"
        if any(section.name == "OneCycleLR" for section in job.parts.experiment.scheduler):
            return "refused: OneCycleLR was planned for the epochs it began with"
        job.epochs = epochs
        return f"ends after {epochs} epochs"

    def _done(self, request: Request, outcome: str) -> None:
        recorder = self.job.recorder
        recorder.write(
            RequestDone(
                time=recorder.clock(),
                id=request.id,
                request=request.request,
                outcome=outcome,
                epochs=self.job.epochs,
                planned_end=self.job.planned_end,
            )
        )
