import argparse
import hashlib
import http.server
import json
import socket
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision import models

from engine.cli import main
from engine.contract.backbones import BACKBONES
from engine.contract.model import Model
from engine.contract.problems import InputError, Problem
from engine.parts import weights_files
from engine.parts.backbones import Built, build_model
from engine.parts.weights import copy_into

SMALL = "shufflenet_v2_x0_5"
HEAD = ["fc.weight", "fc.bias"]


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Weights of the small backbone at 1000 classes, with statistics that tell files apart."""
    torch.manual_seed(3)
    model = models.get_model(SMALL, weights=None)
    return {
        n: torch.rand_like(t) if t.is_floating_point() else t for n, t in model.state_dict().items()
    }


def build(weights: Path | str, outputs: int = 2, backbone: str = SMALL, **keys: object) -> Built:
    return build_model(Model(backbone=backbone, weights=str(weights), **keys), outputs, Path())


def refused(weights: Path | str, **keys: object) -> Problem:
    with pytest.raises(InputError) as caught:
        build(weights, **keys)  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert problem.key == "model.weights"
    assert problem.hint
    return problem


def saved(path: Path, held: object) -> Path:
    torch.save(held, path)
    return path


def assert_loaded(built: Built, state: dict[str, Tensor], but: list[str]) -> None:
    loaded = built.model.state_dict()
    assert [n for n in loaded if n not in but and not torch.equal(loaded[n], state[n])] == []


# Files


def test_a_file_is_loaded_and_its_head_of_another_size_is_replaced(tmp_path, state):
    path = saved(tmp_path / "a.pth", state)
    built = build(path)
    assert_loaded(built, state, but=HEAD)
    report = built.weights_report
    assert report is not None
    assert report.head == "replaced"
    assert report.matched == len(state) - 2
    assert report.reshaped == [("fc.weight", (1000, 1024), (2, 1024)), ("fc.bias", (1000,), (2,))]
    assert report.missing == report.unexpected == []
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "head replaced" in report.describe()


def test_a_head_that_already_has_the_outputs_is_kept(tmp_path, state):
    tuned = {**state, "fc.weight": torch.rand(2, 1024), "fc.bias": torch.rand(2)}
    built = build(saved(tmp_path / "tuned.pt", tuned))
    assert_loaded(built, tuned, but=[])
    assert built.weights_report is not None
    assert built.weights_report.head == "kept"


def test_a_file_without_a_head_or_with_another_kind_of_head_is_a_backbone(tmp_path, state):
    body = {name: value for name, value in state.items() if name not in HEAD}
    built = build(saved(tmp_path / "body.pth", {**body, "fc.1.weight": torch.rand(2, 3)}))
    assert_loaded(built, state, but=HEAD)
    assert built.weights_report is not None
    assert built.weights_report.missing == HEAD
    assert built.weights_report.unexpected == ["fc.1.weight"]


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model.", "_orig_mod."])
def test_wrappers_and_prefixes_are_taken_off(tmp_path, state, wrapper, prefix):
    named = {f"{prefix}{name}": value for name, value in state.items()}
    built = build(saved(tmp_path / "a.pth", {"epoch": 3, wrapper: named}))
    assert_loaded(built, state, but=HEAD)


def test_safetensors_are_loaded(tmp_path, state):
    safetensors.torch.save_file(state, tmp_path / "a.safetensors")
    assert_loaded(build(tmp_path / "a.safetensors"), state, but=HEAD)


def test_a_file_in_torchs_older_format_is_loaded(tmp_path, state):
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_loaded(build(tmp_path / "old.pth"), state, but=HEAD)


def test_a_relative_file_is_relative_to_the_experiments_folder(tmp_path, state):
    saved(tmp_path / "a.pth", state)
    built = build_model(Model(backbone=SMALL, weights="a.pth"), 2, tmp_path)
    assert_loaded(built, state, but=HEAD)


def test_half_precision_is_read_exactly_into_single(tmp_path, state):
    half = {n: t.half() if t.is_floating_point() else t for n, t in state.items()}
    built = build(saved(tmp_path / "half.pth", half))
    loaded = built.model.state_dict()
    assert loaded["conv1.0.weight"].dtype == torch.float32
    assert torch.equal(loaded["conv1.0.weight"].half(), half["conv1.0.weight"])


def test_a_file_from_before_num_batches_tracked_is_loaded(tmp_path, state):
    old = {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}
    built = build(saved(tmp_path / "old.pth", old))
    assert built.weights_report is not None
    assert built.weights_report.missing == []


def test_old_names_of_densenet_and_vit_are_todays(tmp_path):
    old = {
        "features.denseblock1.denselayer1.norm.1.weight": torch.zeros(1),
        "encoder.layers.encoder_layer_0.mlp.linear_1.bias": torch.zeros(1),
        "encoder.layers.encoder_layer_0.mlp.linear_2.weight": torch.zeros(1),
    }
    assert list(weights_files.read(saved(tmp_path / "old.pth", old))) == [
        "features.denseblock1.denselayer1.norm1.weight",
        "encoder.layers.encoder_layer_0.mlp.0.bias",
        "encoder.layers.encoder_layer_0.mlp.3.weight",
    ]


def test_a_googlenet_saved_without_auxiliary_branches_is_loaded(tmp_path):
    lean = models.googlenet(weights=None, init_weights=False, aux_logits=False)
    path = saved(tmp_path / "lean.pth", lean.state_dict())
    built = build(path, backbone="googlenet")
    assert torch.equal(built.model.conv1.conv.weight, lean.conv1.conv.weight)
    assert built.weights_report is not None
    assert "aux1.fc1.weight" in built.weights_report.missing


# Segmentation

FCN_LIKE = "deeplabv3_mobilenet_v3_large"


@pytest.fixture(scope="module")
def coco() -> dict[str, Tensor]:
    """As torchvision publishes them: 21 classes, with the auxiliary branch."""
    torch.manual_seed(4)
    model = models.get_model(FCN_LIKE, weights=None, weights_backbone=None, aux_loss=True)
    return model.state_dict()


def in_heads(names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(("classifier.4.", "aux_classifier.4."))]


def test_weights_for_segmentation_lose_both_heads_and_keep_the_rest(tmp_path, coco):
    path = tmp_path / "coco.safetensors"
    safetensors.torch.save_file({f"module.{name}": value for name, value in coco.items()}, path)
    built = build(path, 3, FCN_LIKE)
    assert_loaded(built, coco, but=in_heads(list(coco)))
    report = built.weights_report
    assert report is not None
    assert report.head == "replaced"
    assert sorted(name for name, _, _ in report.reshaped) == sorted(in_heads(list(coco)))
    assert report.missing == report.unexpected == []


def test_a_segmentation_saved_without_its_auxiliary_branch_is_loaded(tmp_path, coco):
    lean = {name: value for name, value in coco.items() if not name.startswith("aux")}
    path = saved(tmp_path / "lean.pth", {"model": lean})
    built = build(path, 21, FCN_LIKE)
    assert_loaded(built, lean, but=[name for name in coco if name.startswith("aux")])
    assert built.weights_report is not None
    assert built.weights_report.head == "kept"
    assert "aux_classifier.0.weight" in built.weights_report.missing


def test_an_auxiliary_branch_that_is_not_wanted_is_left_out_of_the_model(tmp_path, coco):
    built = build(saved(tmp_path / "a.pth", coco), 3, FCN_LIKE, args={"aux_loss": False})
    assert not [name for name in built.model.state_dict() if name.startswith("aux")]
    assert built.heads == ["classifier.4"]


def test_only_the_heads_of_a_segmentation_may_differ(tmp_path, coco):
    wrong = {**coco, "classifier.0.project.0.weight": torch.rand(256, 640, 1, 1)}
    del wrong["backbone.0.0.weight"]
    message = refused_by(FCN_LIKE, saved(tmp_path / "a.pth", wrong)).message
    assert "1 missing in the file: backbone.0.0.weight" in message
    assert "classifier.0.project.0.weight (256, 640, 1, 1) in the file" in message
    hint = refused_by("lraspp_mobilenet_v3_large", saved(tmp_path / "b.pth", coco)).hint
    assert f'backbone = "{FCN_LIKE}"' in hint


def test_both_heads_of_lraspp_are_replaced(tmp_path):
    name = "lraspp_mobilenet_v3_large"
    state = models.get_model(name, weights=None, weights_backbone=None).state_dict()
    built = build(saved(tmp_path / "a.pth", state), 2, name)
    heads = [n for n in state if n.startswith(("classifier.low_", "classifier.high_"))]
    assert len(heads) == 4
    assert_loaded(built, state, but=heads)


def refused_by(backbone: str, path: Path) -> Problem:
    with pytest.raises(InputError) as caught:
        build(path, 3, backbone)
    return caught.value.problems[0]


# Files that don't fit


def test_what_differs_outside_of_the_head_is_told_by_name_and_number(tmp_path, state):
    wrong = {**state, "conv1.0.weight": torch.rand(24, 1, 3, 3), "extra.weight": torch.rand(1)}
    del wrong["conv5.0.weight"]
    message = refused(saved(tmp_path / "wrong.pth", wrong)).message
    assert "1 missing in the file: conv5.0.weight" in message
    assert "1 unknown to the model: extra.weight" in message
    assert "conv1.0.weight (24, 1, 3, 3) in the file, (24, 3, 3, 3) in the model" in message


def test_many_names_are_told_by_the_first_few_and_their_number(tmp_path, state):
    message = refused(saved(tmp_path / "head.pth", {n: state[n] for n in HEAD})).message
    assert (
        "280 missing in the file: conv1.0.weight, conv1.1.weight, conv1.1.bias and 277 more"
        in message
    )


def test_a_file_of_another_backbone_is_recognized(tmp_path, state):
    problem = refused(saved(tmp_path / "a.pth", state), backbone="shufflenet_v2_x1_0")
    assert f'backbone = "{SMALL}"' in problem.hint


def test_a_strange_prefix_of_every_entry_is_told(tmp_path, state):
    named = {f"encoder.{name}": value for name, value in state.items()}
    assert '"encoder."' in refused(saved(tmp_path / "a.pth", named)).hint


def test_numbers_that_are_not_finite_are_refused(tmp_path, state):
    broken = {**state, "conv1.0.weight": torch.full((24, 3, 3, 3), torch.nan)}
    assert "NaN or infinity in conv1.0.weight" in refused(saved(tmp_path / "a.pth", broken)).message


def test_quantized_numbers_are_refused(tmp_path, state):
    wrong = {**state, "conv1.0.weight": torch.zeros(24, 3, 3, 3, dtype=torch.int8)}
    assert "1 of another type: conv1.0.weight" in refused(saved(tmp_path / "a.pth", wrong)).message


def test_nothing_is_copied_from_a_file_that_does_not_fit(tmp_path, state):
    model = models.get_model(SMALL, weights=None)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    wrong = {**state, "extra.weight": torch.rand(1)}
    with pytest.raises(InputError):
        copy_into(model, wrong, BACKBONES[SMALL], tmp_path / "a.pth", "")
    assert all(torch.equal(before[n], value) for n, value in model.state_dict().items())


def test_entries_that_a_partial_source_left_as_nan_keep_their_random_start(tmp_path, state):
    model = models.get_model(SMALL, weights=None)
    start = model.conv5[0].weight.clone()
    entries = {**state, "conv5.0.weight": torch.full_like(start, torch.nan)}
    report = copy_into(model, entries, BACKBONES[SMALL], tmp_path / "a.pth", "", partial=True)
    assert report.missing == ["conv5.0.weight"]
    assert torch.equal(model.conv5[0].weight, start)


# Files that cannot be read


def test_a_file_that_needs_code_is_refused_with_the_object_it_needs(tmp_path, state):
    path = saved(tmp_path / "a.pth", {"model": state, "args": argparse.Namespace(lr=1)})
    problem = refused(path)
    assert "argparse.Namespace" in problem.message
    assert "state_dict()" in problem.hint
    assert "run code" in refused(saved(tmp_path / "b.pth", nn.Linear(2, 2))).message


def test_a_torchscript_archive_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases of torch deprecate it
        torch.jit.trace(nn.Linear(2, 2), torch.rand(1, 2)).save(str(tmp_path / "a.pt"))
    assert "cannot be read" in refused(tmp_path / "a.pt").message


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("kept", [0, 5000])
def test_a_truncated_file_is_named(tmp_path, state, name, kept):
    path = tmp_path / name
    if name == "a.pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    path.write_bytes(path.read_bytes()[:kept])
    assert str(path) in refused(path).message


def test_a_web_page_saved_as_weights_is_no_file_of_weights(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"<html>not found</html>" * 100)
    assert "is not a file of weights" in refused(tmp_path / "a.pth").message


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert f"there is no file {tmp_path / 'a.pth'}" in refused(tmp_path / "a.pth").message


@pytest.mark.parametrize("held", [{"optimizer": {}, "epoch": 3}, [1, 2], {}])
def test_a_file_without_a_state_dict_says_what_it_holds(tmp_path, held):
    problem = refused(saved(tmp_path / "a.pth", held))
    assert "state dict" in problem.message


# Downloads


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error: the tests' output is theirs."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    ) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()


@pytest.fixture
def published(server, state, monkeypatch) -> Path:
    """The small backbone's weights at the place that torchvision names, which is the server."""
    base, folder = server
    torch.save(state, folder / "file")
    digest = hashlib.sha256((folder / "file").read_bytes()).hexdigest()
    path = (folder / "file").rename(folder / f"small-{digest[:8]}.pth")
    publish(monkeypatch, f"{base}/{path.name}")
    return path


def publish(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    member = models.get_model_weights(SMALL)["IMAGENET1K_V1"]
    monkeypatch.setattr(member, "_value_", replace(member.value, url=url))


def named(tmp_path: Path, name: str = "IMAGENET1K_V1") -> Built:
    return build(name, weights_dir=str(tmp_path / "cache"))


def refused_download(tmp_path: Path) -> Problem:
    return refused("IMAGENET1K_V1", weights_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["IMAGENET1K_V1", "DEFAULT"])
def test_weights_by_name_are_downloaded_and_loaded(tmp_path, published, state, name, capfd):
    built = named(tmp_path, name)
    assert_loaded(built, state, but=HEAD)
    assert (tmp_path / "cache" / published.name).read_bytes() == published.read_bytes()
    told = capfd.readouterr()
    assert told.out == ""
    assert "100" in told.err  # per cent, of torch hub's progress


def test_weights_that_are_there_are_not_downloaded_again(tmp_path, published, state):
    named(tmp_path)
    published.unlink()
    assert_loaded(named(tmp_path), state, but=HEAD)


def test_without_a_folder_downloads_go_to_torch_hubs_cache(tmp_path, published, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    build("IMAGENET1K_V1")
    assert (tmp_path / "hub" / "checkpoints" / published.name).exists()


def test_a_damaged_file_in_the_cache_is_found_at_every_load(tmp_path, published):
    named(tmp_path)
    kept = tmp_path / "cache" / published.name
    kept.write_bytes(kept.read_bytes()[:-100])
    problem = refused_download(tmp_path)
    assert f"{kept} is damaged or only a part: " in problem.message
    assert "--refetch downloads it again" in problem.hint
    assert published.name in problem.hint


def refetched(tmp_path: Path) -> Built:
    section = Model(backbone=SMALL, weights="DEFAULT", weights_dir=str(tmp_path / "cache"))
    return build_model(section, 2, Path(), refetch=True)


@pytest.mark.parametrize("damage", [lambda held: held[:-100], lambda held: held[:-1] + b"!"])
def test_refetch_replaces_a_damaged_file(tmp_path, published, state, damage):
    named(tmp_path)
    kept = tmp_path / "cache" / published.name
    kept.write_bytes(damage(kept.read_bytes()))
    assert_loaded(refetched(tmp_path), state, but=HEAD)
    assert kept.read_bytes() == published.read_bytes()
    assert list(kept.parent.iterdir()) == [kept]
    named(tmp_path)


def test_refetch_leaves_a_file_that_is_intact_and_downloads_one_that_is_missing(
    tmp_path, published, state
):
    assert_loaded(refetched(tmp_path), state, but=HEAD)
    published.unlink()
    assert_loaded(refetched(tmp_path), state, but=HEAD)


def test_a_damaged_file_stays_until_the_new_one_is_there_and_verified(tmp_path, published):
    named(tmp_path)
    kept = tmp_path / "cache" / published.name
    kept.write_bytes(b"damaged")
    published.write_bytes(published.read_bytes()[:-100])
    with pytest.raises(InputError, match="arrived damaged"):
        refetched(tmp_path)
    assert kept.read_bytes() == b"damaged"
    published.unlink()
    with pytest.raises(InputError, match="put it at"):
        refetched(tmp_path)
    assert kept.read_bytes() == b"damaged"


def test_a_download_that_a_person_names_by_its_path_is_verified_too(tmp_path, state):
    path = saved(tmp_path / BACKBONES[SMALL].weights["IMAGENET1K_V1"].file, state)
    problem = refused(path)
    assert f"{path} is damaged or only a part" in problem.message
    assert "another name" in problem.hint
    dated = path.rename(tmp_path / "mine-20251125.pth")  # eight digits that are no hash
    assert_loaded(build(dated), state, but=HEAD)


def test_an_answer_that_is_not_http_is_told(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/small-01234567.pth"

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"no such protocol\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        publish(monkeypatch, url)
        assert f"could not be downloaded from {url}" in refused_download(tmp_path).message


def test_a_download_that_arrives_damaged_leaves_nothing_behind(tmp_path, published):
    published.write_bytes(published.read_bytes()[:-100])
    assert "arrived damaged" in refused_download(tmp_path).message
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_is_not_on_the_server_is_told_with_what_to_put_where(tmp_path, published):
    published.unlink()
    problem = refused_download(tmp_path)
    assert "not found" in problem.message.lower()
    assert str(tmp_path / "cache" / published.name) in problem.hint


def test_without_a_network_the_problem_says_which_file_to_put_where(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"http://127.0.0.1:{port}/small-01234567.pth"
    publish(monkeypatch, url)
    problem = refused_download(tmp_path)
    assert f"could not be downloaded from {url}: " in problem.message
    put = tmp_path / "cache" / "small-01234567.pth"
    assert problem.hint == f"download {url} where there is a network, and put it at {put}"


def test_a_folder_that_cannot_be_made_is_told(tmp_path, published):
    (tmp_path / "cache").write_text("a file stands where the folder should")
    assert str(tmp_path / "cache") in refused_download(tmp_path).message


def test_every_file_of_torchvision_carries_its_hash():
    for row in BACKBONES.values():
        for pretrained in row.weights.values():
            assert weights_files.HASH.search(pretrained.file), pretrained.file


@pytest.mark.parametrize("command", ["check", "run"])
def test_the_commands_take_refetch_and_print_nothing_else_on_standard_output(
    tmp_path, published, monkeypatch, capfd, command
):
    path = tmp_path / "a.toml"
    path.write_text(
        f'[data]\ndataset = "digits"\nimage_size = 32\nworkers = 0\n[model]\nbackbone = "{SMALL}"\n'
        'weights = "DEFAULT"\nweights_dir = "cache"\nfreeze = ["*"]\n'
        '[train]\nepochs = 1\ndevice = "cpu"\n'
    )
    (tmp_path / "cache").mkdir()
    kept = tmp_path / "cache" / published.name
    kept.write_bytes(published.read_bytes()[:5000])
    # What `run` does before and after building is no concern of this test.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("engine.commands._shown", lambda *_, **how: 0)
    assert _command(monkeypatch, command, path) == 2
    (problem,) = json.loads(capfd.readouterr().out)["problems"]
    assert "--refetch" in problem["hint"]
    assert problem["line"] == 7
    _command(monkeypatch, command, path, "--refetch")
    told = capfd.readouterr()
    assert "100" in told.err  # per cent of the download
    assert "--refetch" not in told.out  # `check` may well say something of such weights
    assert all(json.loads(line) for line in told.out.splitlines())
    assert kept.read_bytes() == published.read_bytes()


def _command(monkeypatch: pytest.MonkeyPatch, command: str, path: Path, *options: str) -> int:
    runs = ["--runs", str(path.parent / "runs")] if command == "run" else []
    monkeypatch.setattr("sys.argv", ["ptrain", command, str(path), "--json", *runs, *options])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)
