"""What torch.compile is given, and what is done where it can't."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from engine.contract.training import Train
from engine.parts import compiling
from engine.parts.compiling import Compiled, compiled, forget_compiled
from engine.parts.frozen_split import shape_only

SIZE = 4


@dataclass
class Heard:
    """In place of the run's events."""

    words: list[str] = field(default_factory=list)

    def compiling(self) -> None:
        self.words.append("compiling")

    def compiled(self, seconds: float) -> None:
        assert seconds > 0
        self.words.append("compiled")

    def not_compiled(self, why: str) -> None:
        self.words.append(why)


@dataclass
class Backend:
    """Computes what was traced as it stands, so that numbers are the module's own, and counts."""

    error: Exception | None = None
    graphs: int = 0
    calls: int = 0

    def __call__(self, graph: GraphModule, _: Sequence[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        if self.error is not None:
            raise self.error

        def run(*inputs: Tensor) -> Any:
            self.calls += 1
            return graph.forward(*inputs)

        return run


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    torch.compiler.reset()
    backend = Backend()
    monkeypatch.setattr(compiling, "BACKEND", backend)
    return backend


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2))


def batch(size: int = SIZE) -> Tensor:
    return torch.randn(size, 3, generator=torch.Generator().manual_seed(size))


def of(module: nn.Module) -> tuple[Compiled, Heard]:
    heard = Heard()
    return Compiled(module, "default", SIZE, heard), heard


def test_without_compile_it_is_the_module_itself():
    module = small()
    assert compiled(Train(epochs=1), module, SIZE, Heard()) is module


def test_full_batches_are_compiled_for_once_and_a_short_one_takes_the_plain_way(backend):
    module = small()
    forward, heard = of(module)
    for size in (2, SIZE, SIZE, 2, SIZE):
        forward(batch(size)).sum().backward()
    assert (backend.graphs, backend.calls) == (1, 3)
    assert heard.words == ["compiling", "compiled"]


def test_a_forward_gives_what_the_module_gives_and_moves_the_same_statistics(backend):
    module, other = small(), small()
    forward, _ = of(module)
    for size in (SIZE, 2, SIZE):
        torch.manual_seed(1)
        output = forward(batch(size))
        torch.manual_seed(1)
        assert torch.equal(output, other(batch(size)))
    assert list(module.state_dict()) == list(other.state_dict())
    for name, value in other.state_dict().items():
        assert torch.equal(module.state_dict()[name], value)


def test_training_and_validation_have_each_their_own_and_keep_it(backend):
    module = small()
    train, _ = of(module)
    val, heard = of(module)
    for _ in range(2):
        module.train()
        train(batch()).sum().backward()
        module.eval()
        with torch.inference_mode():
            assert torch.equal(val(batch()), module(batch()))
    assert (backend.graphs, backend.calls) == (2, 4)
    assert heard.words == ["compiling", "compiled"]


def test_where_it_can_not_be_compiled_the_module_goes_on_and_the_reason_is_told(backend):
    backend.error = RuntimeError("\n  No working C++ compiler found\n  in any of these places")
    module, other = small(), small()
    forward, heard = of(module)
    for _ in range(2):
        torch.manual_seed(1)
        output = forward(batch())
        torch.manual_seed(1)
        assert torch.equal(output, other(batch()))
    assert backend.graphs == 1, "it is tried once"
    assert heard.words == ["compiling", "RuntimeError: No working C++ compiler found"]
    for name, value in other.state_dict().items():
        assert torch.equal(module.state_dict()[name], value), "no statistics moved twice"


def test_a_model_that_can_not_be_compiled_whole_is_not_compiled_in_part(backend):
    class Looks(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs + 1 if float(inputs.sum()) > 0 else inputs - 1

    forward, heard = of(Looks())
    assert torch.equal(forward(torch.ones(SIZE)), torch.full((SIZE,), 2.0))
    assert heard.words[0] == "compiling"
    assert len(heard.words) == 2
    assert heard.words[1] != "compiled"


def test_memory_that_runs_out_is_no_failure_to_compile(backend):
    def out_of_memory(*_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("too large")

    forward, heard = of(small())
    forward._compiled = out_of_memory  # type: ignore[assignment]
    with pytest.raises(torch.OutOfMemoryError):
        forward(batch())
    assert heard.words == ["compiling"]


def test_what_is_frozen_later_is_compiled_anew_as_often_as_one_likes(backend):
    module = small()
    for count in range(12):  # torch gives up after eight of a kind
        for position, parameter in enumerate(module.parameters()):
            parameter.requires_grad_(position >= count % 3)
        forward, heard = of(module)
        forward(batch()).sum().backward()
        assert heard.words == ["compiling", "compiled"]
        forget_compiled()


def test_features_of_which_only_the_shape_is_asked_are_no_hindrance(backend):
    class Tail(nn.Module):
        def forward(self, feature: Tensor, image: Tensor) -> Tensor:
            return nn.functional.interpolate(feature, size=image.shape[-2:])

    forward, heard = of(Tail())
    feature, image = torch.randn(SIZE, 2, 3, 3), shape_only((SIZE, 3, 9, 9))
    for _ in range(2):
        assert forward(feature, image).shape == (SIZE, 2, 9, 9)
    assert heard.words == ["compiling", "compiled"]
    assert backend.calls == 2


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch's compiler needs a C++ compiler")
def test_torchs_own_compiler_gives_the_same_within_rounding():
    torch.compiler.reset()
    torch.manual_seed(0)
    module = nn.Linear(3, 2)
    forward, heard = of(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, while it compiles
        for _ in range(2):
            module.zero_grad()
            output = forward(batch())
            output.square().sum().backward()
    gradient = module.weight.grad
    assert gradient is not None
    module.zero_grad()
    expected = module(batch())
    expected.square().sum().backward()
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(gradient, module.weight.grad)
    assert heard.words == ["compiling", "compiled"]
