"""An experiment: all that decides a run's numbers, and the rules that span its sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from engine.contract.backbones import BACKBONES
from engine.contract.data import Data
from engine.contract.loss import LOSSES, Loss, task_of, terms
from engine.contract.metric import Metric
from engine.contract.model import Model, unordered
from engine.contract.optimizer import SGD, Optimizer
from engine.contract.problems import Problem, did_you_mean
from engine.contract.scheduler import Scheduler
from engine.contract.section import Section
from engine.contract.tasks import COLUMN_METRICS, DEFAULT_METRICS, Task
from engine.contract.training import Checkpoint, Train


def _folder_name(value: str) -> str:
    if not re.fullmatch(r"[^/\\.\s\x00-\x1f][^/\\\x00-\x1f]*", value) or len(value) > 100:
        raise ValueError(
            "can't be the name of a folder; write 1 to 100 characters without / and \\, "
            "and without a dot or a space in front"
        )
    return value


class Experiment(Section):
    """One experiment file. `[data]`, `[model] backbone` and `[train] epochs` are enough."""

    name: Annotated[str, AfterValidator(_folder_name)]
    """The folder of its runs. Default: the file's name."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Decides the split, the shuffling, the augmentation, the new head and the dropout."""
    data: Data = Data()
    """What it learns from."""
    model: Model
    """What learns."""
    loss: Annotated[list[Loss], Field(min_length=1)]
    """What is minimized: one [loss], or a [[loss]] for each term of a sum. Default:
    CrossEntropyLoss for classes, BCEWithLogitsLoss for labels, MSELoss for numbers."""
    # The PyTorch transfer-learning tutorial's, for a file without an [optimizer].
    optimizer: Optimizer = SGD(lr=1e-3, momentum=0.9)
    """How the parameters are moved. Default: SGD, lr 1e-3, momentum 0.9."""
    scheduler: list[Scheduler] = []
    """How the learning rate changes: a chain, applied back to back in this order."""
    metric: list[Metric] = []
    """Further numbers after each validation, by torchmetrics' names."""
    train: Train
    """How long, on what device."""
    checkpoint: Checkpoint = Checkpoint()
    """What is kept of it."""

    @model_validator(mode="before")
    @classmethod
    def _usual_loss(cls, values: Any) -> Any:
        return {**values, "loss": terms(values)} if isinstance(values, dict) else values

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema of the file as it is written: read() adds the name, `_usual_loss` makes a list
        of one [loss], and one without a name fits the usual loss of more than one task."""
        written = super().__get_pydantic_json_schema__(core, handler)
        file = handler.resolve_ref_schema(written)
        file["required"] = [key for key in file["required"] if key not in ("name", "loss")]
        terms = file["properties"]["loss"]
        term = {"anyOf": terms["items"]["oneOf"]}
        several = {"type": "array", "items": term, "minItems": terms["minItems"]}
        described = {key: terms[key] for key in ("title", "description")}
        file["properties"]["loss"] = {**described, "anyOf": [*term["anyOf"], several]}
        return written

    @property
    def task(self) -> Task:
        """What the targets are."""
        data = self.data
        return task_of(data.dataset, data.target, data.task, [term.name for term in self.loss])

    @property
    def ignore_index(self) -> int:
        """The targets that count neither in the loss nor in the metrics; cross_checks sees to it
        that the terms agree."""
        ignored = (getattr(term, "ignore_index", None) for term in self.loss)
        return next((index for index in ignored if index is not None), -100)

    @property
    def term_titles(self) -> list[str]:
        """What the terms are called in events: each once, so a second MSELoss is MSELoss.2."""
        names = [getattr(term, "title", term.name) for term in self.loss]
        earlier = [names[:position].count(name) for position, name in enumerate(names)]
        pairs = zip(names, earlier, strict=True)
        return [f"{name}.{count + 1}" if count else name for name, count in pairs]


def cross_checks(experiment: Experiment) -> Iterator[Problem]:
    """The rules that no single field can check; nothing here needs torch."""
    yield from unordered(experiment.model)
    yield from _groups(experiment)
    yield from _monitors(experiment)
    yield from _losses(experiment)
    yield from _backbone(experiment)
    yield from _implementations(experiment)
    if experiment.optimizer.name == "LBFGS" and experiment.train.precision == "fp16":
        yield Problem(
            "LBFGS evaluates the loss several times a step, which torch's gradient scaler can't do",
            key="train.precision",
            hint='write precision = "bf16" or "fp32", or another optimizer',
        )
    sgd = experiment.optimizer
    if isinstance(sgd, SGD) and sgd.nesterov and (sgd.momentum <= 0 or sgd.dampening != 0):
        yield Problem(
            "Nesterov momentum needs a momentum and zero dampening",
            key="optimizer.nesterov",
            hint="write momentum = 0.9 and leave dampening out",
        )


def _implementations(experiment: Experiment) -> Iterator[Problem]:
    """What torch would refuse, or do wrong, in the middle of a training."""
    section, train = experiment.optimizer, experiment.train
    settings = section.keywords()
    each = [settings, *(settings | group.options for group in section.group)]
    fused = any(one.get("fused") and one.get("momentum") for one in each)
    if section.name == "SGD" and fused and experiment.model.unfreeze:
        yield Problem(
            "torch's fused SGD with momentum can't take on layers that begin to train later",
            key="optimizer.fused",
            hint="take it out, or model.unfreeze",
        )
    if section.name == "SGD" and fused and train.precision == "fp16":
        yield Problem(
            "torch's fused SGD takes whatever is in memory for its momentum where fp16 leaves the "
            "first step out",
            key="optimizer.fused",
            hint='take it out, or write precision = "bf16"',
        )
    if train.compile == "reduce-overhead" and (train.accumulate > 1 or section.name == "LBFGS"):
        yield Problem(
            "CUDA graphs write each batch's gradients into the same memory, and this step needs "
            "those of several",
            key="train.compile",
            hint='write compile = "default"',
        )


def _groups(experiment: Experiment) -> Iterator[Problem]:
    seen = {"default"}
    for position, group in enumerate(experiment.optimizer.group):
        if group.name in seen:
            yield Problem(
                f'"{group.name}" is the name of another group',
                key=f"optimizer.group.{position}.name",
                hint='each group needs a name of its own; "default" is the group of the rest',
            )
        seen.add(group.name)
    if experiment.optimizer.name == "LBFGS" and experiment.optimizer.group:
        yield Problem(
            "torch's LBFGS takes one group only",
            key="optimizer.group.0",
            hint="take the groups out, or choose another optimizer",
        )


def _losses(experiment: Experiment) -> Iterator[Problem]:
    """Each term has to be for such targets, and all have to leave out the same ones."""
    task = experiment.task
    fitting = ", ".join(name for name, kind in LOSSES.items() if task in kind.tasks)
    for position, term in enumerate(experiment.loss):
        if task not in term.tasks:
            others = " or ".join(f'"{other}"' for other in term.tasks)
            yield Problem(
                f"{term.name} is no loss for a {task}",
                f"loss.{position}.name",
                f"write task = {others} under [data] if that is what it is; for a {task} there "
                f"are: {fitting}",
            )
        if getattr(term, "ignore_index", experiment.ignore_index) != experiment.ignore_index:
            yield Problem(
                f"an earlier term ignores {experiment.ignore_index}: the metrics can't tell which",
                f"loss.{position}.ignore_index",
                "give all terms the same",
            )
    if experiment.data.standardize and task != "regression":
        message = f"a {task} has no numbers to standardize"
        hint = 'take it out, or write task = "regression"'
        yield Problem(message, "data.standardize", hint)


def _backbone(experiment: Experiment) -> Iterator[Problem]:
    row = BACKBONES[experiment.model.backbone]
    if (row.task == "segmentation") == (experiment.task == "segmentation"):
        return
    known = [name for name, other in BACKBONES.items() if other.task == "segmentation"]
    if experiment.task == "segmentation":
        message, hint = (
            f"{row.name} has no output for each pixel",
            f"write one of: {', '.join(known)}",
        )
    else:
        message = f"{row.name} gives a class for each pixel, and the task is {experiment.task}"
        hint = 'choose a classification backbone, or write task = "segmentation" under [data]'
    yield Problem(message, "model.backbone", hint)


def _monitors(experiment: Experiment) -> Iterator[Problem]:
    """A metric must be one that is measured: val/…, or train/loss."""
    named = [("checkpoint.monitor", experiment.checkpoint.monitor)]
    named += [
        (f"scheduler.{position}.monitor", section.monitor)
        for position, section in enumerate(experiment.scheduler)
        if section.name == "ReduceLROnPlateau"
    ]
    known = metric_names(experiment)
    columns = (
        {f"val/{name}" for name in COLUMN_METRICS} if experiment.task == "regression" else set()
    )
    for key, monitor in named:
        # Which columns there are is seen in the data; building tells of one that isn't there.
        if monitor in known or monitor.rpartition("/")[0] in columns:
            continue
        alike = [name for name in known if did_you_mean(_last(monitor), [_last(name)])]
        hint = did_you_mean(monitor, alike) or "one of: " + ", ".join(
            f'"{metric}"' for metric in known
        )
        yield Problem(f'no metric is called "{monitor}"', key, hint)
    titles = [section.title for section in experiment.metric]
    for position, title in enumerate(titles):
        if title in titles[:position] or f"val/{title}" in metric_names(experiment, own=False):
            message, hint = f'there is a metric "{title}" already', 'give it another: label = "…"'
            yield Problem(message, f"metric.{position}.label", hint)


def _last(metric: str) -> str:
    """`val/` in front of both makes any two look alike."""
    return metric.rpartition("/")[2]


def metric_names(experiment: Experiment, *, own: bool = True) -> list[str]:
    """What a `validated` event carries; of a regression, without those of single columns."""
    names = ["val/loss", *(f"val/{name}" for name in DEFAULT_METRICS[experiment.task])]
    names += [f"val/{section.title}" for section in experiment.metric] if own else []
    titles = experiment.term_titles
    terms = [f"/{title}" for title in titles] if len(titles) > 1 else []
    return [*names, *(f"val/loss{term}" for term in terms), "train/loss"] + [
        f"train/loss{term}" for term in terms
    ]
