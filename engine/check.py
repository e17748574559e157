"""What can be found out before training, all at once: everything is built, the targets are looked
at, the chain is planned, and one real batch goes through a step that is then undone."""

from __future__ import annotations

from engine.build import Parts
from engine.chain_surprises import chain_problems
from engine.check_memory import memory_problems
from engine.check_step import step_problems
from engine.check_targets import target_problems
from engine.contract.problems import InputError, Problem, RunError
from engine.contract.toml_file import ExperimentFile
from engine.lr import skeleton_rates, steps_of_data
from engine.run import build_located


def check(file: ExperimentFile, *, refetch: bool = False) -> list[Problem]:
    """Every error and warning. Trains nothing."""
    try:
        parts = checked(file, refetch=refetch)
    except InputError as error:
        return list(error.problems)
    parts.data.close()
    return parts.warnings


def checked(file: ExperimentFile, *, refetch: bool = False) -> Parts:
    """What can be trained, with the batch that training then begins with. Warnings are the parts';
    raises InputError with everything found where there is an error."""
    try:
        parts = build_located(file, refetch=refetch)
    except InputError as error:
        more = file.locate(_chain_alone(file))
        others = (problem for problem in more if problem not in error.problems)
        raise InputError(*error.problems, *others) from None
    try:
        found = file.locate(check_parts(parts))
        if any(problem.severity == "error" for problem in found):
            raise InputError(*found, *parts.warnings)
    except BaseException:
        parts.data.close()
        raise
    parts.warnings = [*found, *parts.warnings]
    return parts


def check_parts(parts: Parts) -> list[Problem]:
    """What building doesn't show, without lines. The parts are as before, to the last bit, and the
    batch that was read is the first that training gets.

    Costs a forward and backward of one batch and of a few validation samples.
    """
    found = target_problems(parts)
    groups, per_epoch = parts.schedule.groups, parts.steps_per_epoch
    found += chain_problems(parts.experiment, groups, per_epoch, parts.folder)
    found += _memory(parts)
    # A batch that is too large would end this process, and one whose targets are wrong only shows
    # as an assertion on a GPU, which can't be used any more then.
    if not any(problem.severity == "error" for problem in found):
        found += step_problems(parts)
    return found


def _memory(parts: Parts) -> list[Problem]:
    try:
        batches = parts.data.first_batches(1)
    except RunError:  # the step tells it
        return []
    if not batches or batches[0].inputs.ndim != 4:
        return []
    return list(memory_problems(parts, batches[0]))


def _chain_alone(file: ExperimentFile) -> list[Problem]:
    """Where building failed, of what needs no parts."""
    try:
        rates, steps = skeleton_rates(file), steps_of_data(file)
    except InputError:  # told by building already
        return []
    return chain_problems(file.experiment, rates, steps, file.folder)
