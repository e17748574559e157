import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.contract.data import Data
from engine.contract.problems import InputError, RunError
from engine.parts.joint_transforms import build_joint_transforms
from engine.parts.transforms import Preset

PLAIN = Preset(32, 40, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
HEIGHT, WIDTH = 48, 64
RED, BLUE = (255, 0, 0), (0, 0, 255)


def drawn(ignored: int | None = None) -> tuple[Image.Image, torch.Tensor]:
    """A blue image with a red L in it, which no turn or flip maps to itself; the mask is 1 where it
    is red."""
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.int32)
    mask[8:40, 10:26] = 1
    mask[28:40, 10:54] = 1
    pixels = np.where(mask.numpy()[..., None] == 1, np.uint8(RED), np.uint8(BLUE))
    if ignored is not None:
        mask[:4] = ignored
    return Image.fromarray(pixels), mask


def build(*augment, ignore_index=-100, **keys):
    section = Data.model_validate({"augment": list(augment), **keys})
    return build_joint_transforms(section, PLAIN, ignore_index)


def off(image: torch.Tensor, mask: torch.Tensor) -> float:
    """The share of the pixels that are clearly red or blue where the mask says otherwise."""
    red, blue = image[0] - image[2] > 0.9, image[2] - image[0] > 0.9
    return float(((red & (mask == 0)) | (blue & (mask == 1))).float().mean())


def test_both_come_out_as_a_square_of_the_image_size():
    transforms = build(image_size=24)
    image, mask = transforms.eval(*drawn())
    assert (image.dtype, tuple(image.shape)) == (torch.float32, (3, 24, 24))
    assert (mask.dtype, tuple(mask.shape)) == (torch.int64, (24, 24))
    assert type(image) is type(mask) is torch.Tensor
    assert transforms.train_shape == transforms.eval_shape == (3, 24, 24)
    assert not transforms.random


@pytest.mark.parametrize("size", [7, 24, 32, 100])
def test_resizing_keeps_the_mask_on_its_image_and_makes_no_class_up(size):
    image, mask = build(image_size=size).eval(*drawn(ignored=255))
    assert set(mask.unique().tolist()) <= {0, 1, 255}
    assert off(image, mask) == 0


def test_the_nearest_pixel_is_that_at_the_middle():
    # Of 4 pixels for each one, the middle lies between the second and the third, and is the third.
    mask = torch.arange(8, dtype=torch.int32).repeat(8, 1)
    _, small = build(image_size=2).eval(Image.new("RGB", (8, 8)), mask)
    assert small.tolist() == [[2, 6], [2, 6]]


def test_the_image_is_normalized_and_the_mask_is_not():
    preset = Preset(8, 8, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    transforms = build_joint_transforms(Data(), preset, -100)
    image, mask = transforms.eval(Image.new("RGB", (8, 8), (255, 255, 255)), torch.ones(8, 8).int())
    assert image.unique().tolist() == [2.0]
    assert mask.unique().tolist() == [1]


def test_preprocess_resizes_and_crops_both():
    steps = [{"name": "Resize", "size": 24}, {"name": "CenterCrop", "size": 20}]
    transforms = build(preprocess=steps)
    image, mask = transforms.train(*drawn())
    assert transforms.eval_shape == (3, 20, 20)
    assert mask.shape == (20, 20)
    assert off(image, mask) < 0.02


def test_preprocess_ending_in_floats_leaves_the_mask_as_it_is():
    steps = [
        {"name": "Resize", "size": [16, 16]},
        {"name": "ToDtype", "dtype": "float32", "scale": True},
        {"name": "Normalize", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    ]
    image, mask = build(preprocess=steps).eval(*drawn(ignored=-100))
    assert set(image.unique().tolist()) >= {-1.0, 1.0}
    assert set(mask.unique().tolist()) == {0, 1, -100}


FILLED = [
    {"name": "Pad", "padding": 6},
    {"name": "RandomCrop", "size": 60, "pad_if_needed": True},
    {"name": "RandomRotation", "degrees": [30, 30]},
    {"name": "RandomAffine", "degrees": [20, 20], "translate": [0.2, 0.2], "fill": [1, 2, 3]},
    {"name": "RandomPerspective", "p": 1.0},
    {"name": "ElasticTransform", "alpha": 200.0},
    {"name": "RandomZoomOut", "p": 1.0, "side_range": [2.0, 2.0]},
    {"name": "RandomApply", "p": 1.0, "transforms": [{"name": "Pad", "padding": 6}]},
]


@pytest.mark.parametrize("ignore_index", [-100, 255])
@pytest.mark.parametrize("augment", FILLED, ids=lambda augment: augment["name"])
def test_outside_of_the_image_the_mask_is_ignored(augment, ignore_index):
    end = [{"name": "Resize", "size": [32, 32]}] if augment["name"] == "RandomZoomOut" else []
    transforms = build(augment, *end, ignore_index=ignore_index)
    torch.manual_seed(1)
    _, mask = transforms.train(Image.new("RGB", (32, 32)), torch.ones(32, 32, dtype=torch.int32))
    assert set(mask.unique().tolist()) == {1, ignore_index}


MOVES = [
    {"name": "RandomHorizontalFlip"},
    {"name": "RandomVerticalFlip"},
    {"name": "RandomRotation", "degrees": 180},
    {"name": "RandomAffine", "degrees": 30, "translate": [0.2, 0.2], "scale": [0.6, 1.4]},
    {"name": "RandomPerspective", "distortion_scale": 0.3},
    {"name": "RandomCrop", "size": 32, "padding": 8},
    {"name": "ElasticTransform", "alpha": 20.0},
    {"name": "RandomChoice", "transforms": [{"name": "RandomHorizontalFlip", "p": 1.0}]},
    {"name": "RandomOrder", "transforms": [{"name": "RandomVerticalFlip", "p": 0.5}]},
    {"name": "RandomErasing", "value": 127},
    {"name": "GaussianNoise", "sigma": 0.01},
    {"name": "RandomResizedCrop", "size": 40, "scale": [0.5, 1.0]},
]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(MOVES), min_size=1, max_size=4, unique_by=lambda move: move["name"]),
    st.integers(0, 2**31),
)
def test_whatever_moves_the_image_moves_its_mask(moves, seed):
    transforms = build(*moves, {"name": "Resize", "size": [32, 32]})
    torch.manual_seed(seed)
    random.seed(seed)
    image, mask = transforms.train(*drawn(ignored=255))
    # Edges may be off by a pixel: a bilinear neighbour here, a nearest one there.
    assert off(image, mask) < 0.04
    assert set(mask.unique().tolist()) <= {0, 1, 255, -100}


def test_a_mask_that_stayed_behind_would_be_noticed():
    image, mask = build({"name": "RandomHorizontalFlip", "p": 1.0}).train(*drawn())
    assert off(image, mask) == 0
    assert off(image, mask.flip(-1)) > 0.1


def test_colours_change_the_image_alone():
    jitter = {"name": "ColorJitter", "brightness": 0.9}, {"name": "RandomInvert", "p": 1.0}
    plain, mask = build().train(*drawn())
    image, same = build(*jitter).train(*drawn())
    assert torch.equal(mask, same)
    assert not torch.equal(plain, image)


def test_erasing_hides_the_image_and_keeps_the_answer():
    erasing = {"name": "RandomErasing", "p": 1.0}
    plain, mask = build().train(*drawn())
    image, same = build({"name": "Compose", "transforms": [erasing]}).train(*drawn())
    assert torch.equal(mask, same)
    assert not torch.equal(plain, image)


@pytest.mark.parametrize("name", ["AutoAugment", "RandAugment", "AugMix", "ToPureTensor"])
def test_what_torchvision_can_not_do_to_a_mask_is_refused(name):
    with pytest.raises(InputError) as caught:
        build({"name": name})
    assert caught.value.problems[0].key == "data.augment.0.name"
    nested = {"name": "RandomApply", "transforms": [{"name": name}]}
    with pytest.raises(InputError):
        build(nested)


def test_a_pair_that_a_transform_can_not_take_fails_with_its_place():
    transforms = build({"name": "RandomCrop", "size": 300}, {"name": "Resize", "size": [8, 8]})
    with pytest.raises(RunError, match=r"RandomCrop \(data.augment.0\) fails on an image of 48x64"):
        transforms.train(*drawn())


def test_grey_images_and_tensors_have_masks_too():
    transforms = build(image_size=8)
    for image in (Image.new("L", (WIDTH, HEIGHT)), torch.zeros(1, HEIGHT, WIDTH).byte()):
        pixels, mask = transforms.eval(image, drawn()[1])
        assert pixels.shape == (3, 8, 8)
        assert mask.unique().tolist() == [0, 1]
