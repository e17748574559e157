import random

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import EfficientNet_B0_Weights, ResNet18_Weights, Swin_T_Weights
from torchvision.transforms import v2

from engine.contract.data import Data
from engine.contract.problems import InputError, RunError
from engine.parts.images import as_rgb
from engine.parts.transforms import Preset, build_transforms

PRESET = Preset(32, 40, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def preset_of(own) -> Preset:
    return Preset(
        own.crop_size[0],
        own.resize_size[0],
        tuple(own.mean),
        tuple(own.std),
        own.interpolation.value,
        own.antialias,
    )


def photo(width=61, height=47, mode="RGB") -> Image.Image:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def section(*augment, **keys) -> Data:
    return Data.model_validate({"augment": list(augment), **keys})


def problems_of(*augment, **keys):
    with pytest.raises(InputError) as caught:
        build_transforms(section(*augment, **keys), PRESET)
    return {problem.key: f"{problem.message} / {problem.hint}" for problem in caught.value.problems}


@pytest.mark.parametrize(
    "weights",
    [
        ResNet18_Weights.IMAGENET1K_V1,
        ResNet18_Weights.DEFAULT,
        EfficientNet_B0_Weights.IMAGENET1K_V1,
        Swin_T_Weights.IMAGENET1K_V1,
    ],
)
@pytest.mark.parametrize("kind", ["wide", "high", "grey", "tensor"])
def test_validation_gives_bit_for_bit_what_the_weights_own_transforms_give(weights, kind):
    own = weights.transforms()
    image = {
        "wide": photo(300, 240),
        "high": photo(200, 333),
        "grey": photo(300, 240, "L"),
        "tensor": torch.from_numpy(np.array(photo(300, 240))).permute(2, 0, 1),
    }[kind]
    expected = own(image.convert("RGB") if kind == "grey" else image)
    transforms = build_transforms(Data(), preset_of(own))
    assert torch.equal(transforms.eval(image), expected)
    assert torch.equal(transforms.train(image), expected)
    assert transforms.eval_shape == tuple(expected.shape)


def test_another_image_size_keeps_the_share_that_the_crop_shows():
    own = ResNet18_Weights.IMAGENET1K_V1.transforms(crop_size=112, resize_size=128)
    preset = preset_of(ResNet18_Weights.IMAGENET1K_V1.transforms())
    image = photo(300, 240)
    transforms = build_transforms(Data(image_size=112), preset)
    assert torch.equal(transforms.eval(image), own(image))


def test_augmentation_comes_between_the_geometry_and_the_normalization():
    transforms = build_transforms(section({"name": "RandomHorizontalFlip", "p": 1.0}), PRESET)
    assert torch.equal(transforms.train(photo()), transforms.eval(photo()).flip(-1))
    assert transforms.random


def test_a_random_resized_crop_sees_the_whole_image():
    crop = {"name": "RandomResizedCrop", "size": 32, "scale": [0.2, 0.9]}
    transforms = build_transforms(section(crop), PRESET)
    pixels = torch.from_numpy(np.array(photo())).permute(2, 0, 1)
    torch.manual_seed(7)
    expected = v2.RandomResizedCrop(32, scale=(0.2, 0.9))(pixels)
    torch.manual_seed(7)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (PRESET.mean, PRESET.std))
    assert torch.equal(transforms.train(photo()), (expected / 255 - mean) / std)


def test_a_random_crop_alone_crops_from_the_resized_image():
    transforms = build_transforms(section({"name": "RandomCrop", "size": 40}), PRESET)
    assert transforms.train_shape == (3, 40, 40)  # the preset's crop would have left 32


def test_only_transforms_that_draw_make_the_pipeline_random():
    fixed = build_transforms(section({"name": "Pad", "padding": 2}), PRESET)
    assert not fixed.random
    assert fixed.train_shape == (3, 36, 36)
    nested = {"name": "Compose", "transforms": [{"name": "RandomInvert"}]}
    assert build_transforms(section(nested), PRESET).random


def test_grey_becomes_three_equal_channels():
    transforms = build_transforms(Data(), Preset(32, 32, (0, 0, 0), (1, 1, 1)))
    for image in (photo(mode="L"), torch.full((1, 8, 8), 200, dtype=torch.uint8)):
        out = transforms.eval(image)
        assert out.shape == (3, 32, 32)
        assert torch.equal(out[0], out[1])
        assert torch.equal(out[0], out[2])


def test_16_bit_grey_keeps_its_upper_8_bits():
    image = Image.fromarray(np.array([[0, 0x1234], [0x8000, 0xFFFF]], dtype=np.uint16))
    pixels = np.asarray(as_rgb(image))[..., 0]
    assert pixels.tolist() == [[0, 0x12], [0x80, 0xFF]]


def test_transparency_is_left_out_without_a_warning():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.info["transparency"] = b"\x00\x80"
    assert as_rgb(image).getpixel((0, 0)) == (10, 20, 30)


@pytest.mark.parametrize("shape", [(4, 8, 8), (8, 8)])
def test_a_tensor_of_another_kind_is_refused(shape):
    with pytest.raises(ValueError, match="uint8, \\(1 or 3, height, width\\)"):
        as_rgb(torch.zeros(shape, dtype=torch.uint8))


def test_preprocess_replaces_the_geometry_and_keeps_the_normalization():
    data = section(preprocess=[{"name": "Resize", "size": [20, 24]}])
    transforms = build_transforms(data, PRESET)
    assert transforms.eval_shape == transforms.train_shape == (3, 20, 24)
    white = transforms.eval(Image.new("RGB", (50, 50), (255, 255, 255)))
    assert white[0, 0, 0].item() == pytest.approx((1 - 0.485) / 0.229)


def test_preprocess_ending_in_normalize_replaces_the_normalization():
    resize = {"name": "Resize", "size": [20, 20]}
    normalize = {"name": "Normalize", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    transforms = build_transforms(section(preprocess=[resize, normalize]), PRESET)
    black = transforms.eval(Image.new("RGB", (50, 50)))
    assert black.unique().tolist() == [-1.0]


def test_preprocess_ending_in_to_dtype_leaves_the_normalization_out():
    steps = [
        {"name": "Resize", "size": [20, 20]},
        {"name": "ToDtype", "dtype": "float32", "scale": True},
    ]
    transforms = build_transforms(section(preprocess=steps), PRESET)
    assert transforms.eval(Image.new("RGB", (50, 50), (255,) * 3)).unique().tolist() == [1.0]


def test_what_changes_each_pixel_by_itself_is_left_to_the_batch_and_the_rest_is_not():
    to_float = {"name": "ToDtype", "dtype": "float32", "scale": True}
    normalize = {"name": "Normalize", "mean": [0.4, 0.5, 0.6], "std": [0.1, 0.2, 0.3]}
    resize = {"name": "Resize", "size": [20, 24]}
    crop = {"name": "CenterCrop", "size": [10, 12]}
    images = [photo(), photo(40, 40), photo(90, 20)]
    for steps, dtype in (
        ([resize, crop, to_float, normalize], torch.uint8),
        ([resize, crop, normalize], torch.uint8),
        ([resize, to_float, crop, normalize], torch.float32),
    ):
        transforms = build_transforms(section(preprocess=steps), PRESET)
        each = torch.stack(
            [transforms.eval.rest(*transforms.eval.begin(image, 0))[0] for image in images]
        )
        assert each.dtype == dtype
        whole = torch.stack([transforms.eval(image) for image in images])
        assert torch.equal(transforms.finish(each), whole)
        own = [v2.Resize([20, 24]), v2.CenterCrop([10, 12]), v2.PILToTensor()]
        scaled = v2.ToDtype(torch.float32, scale=True) if to_float in steps else v2.Lambda(by_255)
        own = v2.Compose([*own, scaled, v2.Normalize([0.4, 0.5, 0.6], [0.1, 0.2, 0.3])])
        assert torch.equal(whole, torch.stack([own(image) for image in images]))


def by_255(image):
    return image / 255


def test_preprocess_must_be_the_same_each_time():
    problems = problems_of(preprocess=[{"name": "RandomCrop", "size": 20}])
    assert "data.preprocess.0" in problems


def test_every_wrong_name_and_keyword_is_told_at_its_key():
    problems = problems_of(
        {"name": "RandomHorizontalFlipp"},
        {"name": "ColorJitter", "brigthness": 0.3},
        {"name": "RandomCrop"},
        {"name": "RandomRotation", "degrees": 10, "interpolation": "bicubicc"},
    )
    assert 'did you mean "RandomHorizontalFlip"' in problems["data.augment.0.name"]
    assert 'did you mean "brightness"' in problems["data.augment.1.brigthness"]
    assert "size = 32" in problems["data.augment.2.size"]
    assert '"bicubic"' in problems["data.augment.3.interpolation"]


@pytest.mark.parametrize("name", ["MixUp", "CutMix", "TenCrop", "Lambda", "RandomIoUCrop"])
def test_what_can_not_augment_one_image_is_refused_with_the_reason(name):
    (message,) = problems_of({"name": name}).values()
    assert message.startswith(name)


def test_functions_of_v2_are_no_transforms():
    assert "data.augment.0.name" in problems_of({"name": "InterpolationMode"})
    assert "data.augment.0.name" in problems_of({"name": "Transform"})


@pytest.mark.parametrize(
    "augment",
    [
        {"name": "RandomHorizontalFlip", "p": 1.5},
        {"name": "ColorJitter", "hue": 0.9},
        {"name": "GaussianBlur", "kernel_size": 4},
        {"name": "RandomCrop", "size": 2000},
        {"name": "RandomErasing", "scale": 3},
    ],
)
def test_values_that_torchvision_refuses_are_told_at_their_transform(augment):
    assert list(problems_of({"name": "RandomInvert"}, augment)) == ["data.augment.1"]


def test_a_transform_that_needs_floats_says_how_to_give_them():
    normalize = {"name": "Normalize", "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    assert "ToDtype" in problems_of(normalize)["data.augment.0"]
    to_float = {"name": "ToDtype", "dtype": "float32", "scale": True}
    assert not build_transforms(section(to_float, normalize), PRESET).random


def test_images_that_come_out_in_different_sizes_are_refused():
    message = problems_of({"name": "Resize", "size": 32})["data.augment"]
    assert "different sizes" in message


def test_augmenting_to_grey_gives_three_channels_of_the_same_brightness():
    transforms = build_transforms(section({"name": "Grayscale"}), PRESET)
    three = build_transforms(section({"name": "Grayscale", "num_output_channels": 3}), PRESET)
    assert torch.equal(transforms.train(photo()), three.train(photo()))


def test_preprocessing_to_one_channel_is_refused():
    steps = [{"name": name} for name in ("Grayscale", "ToDtype")]
    steps[1] |= {"dtype": "float32", "scale": True}
    problems = problems_of(preprocess=[{"name": "Resize", "size": [8, 8]}, *steps])
    assert "num_output_channels = 3" in problems["data.preprocess"]


@pytest.mark.parametrize(
    "augment",
    [
        {"name": "RandomAffine", "degrees": [-5, 5], "translate": [0.1, 0.1], "fill": [1, 2, 3]},
        {"name": "RandomResizedCrop", "size": [32, 32], "interpolation": "bicubic"},
        {"name": "ColorJitter", "brightness": [0.8, 1.2], "hue": 0.1},
        {"name": "GaussianBlur", "kernel_size": [3, 5], "sigma": [0.1, 0.5]},
        {"name": "RandomErasing", "value": [0, 0, 0], "ratio": [0.5, 2.0]},
        {"name": "AutoAugment", "policy": "cifar10"},
        {"name": "RandomPhotometricDistort", "brightness": [0.9, 1.1]},
        {"name": "Pad", "padding": [1, 2], "padding_mode": "reflect"},
        {"name": "RandomApply", "p": 0.5, "transforms": [{"name": "RandAugment"}]},
        {"name": "RandomChoice", "transforms": [{"name": "RandomInvert"}, {"name": "AugMix"}]},
    ],
    ids=lambda augment: augment["name"],
)
def test_lists_and_words_of_toml_become_what_torchvision_takes(augment):
    transforms = build_transforms(section(augment), PRESET)
    assert transforms.train(photo()).shape == transforms.train_shape


def test_a_nested_mistake_is_told_at_its_own_key():
    inner = [{"name": "RandomInvert"}, {"name": "ColorJitter", "contrst": 0.1}, "RandomInvert"]
    problems = problems_of({"name": "RandomApply", "transforms": inner})
    assert set(problems) == {
        "data.augment.0.transforms.1.contrst",
        "data.augment.0.transforms.2",
    }


def test_an_image_that_a_transform_can_not_take_fails_with_its_place():
    crops = {"name": "RandomCrop", "size": 300}, {"name": "Resize", "size": [32, 32]}
    transforms = build_transforms(section(*crops), PRESET)
    with pytest.raises(RunError, match=r"RandomCrop \(data.augment.0\) fails on an image of 47x61"):
        transforms.train(photo())


def test_building_leaves_the_global_generators_as_they_were():
    before = torch.get_rng_state(), random.getstate()
    build_transforms(section({"name": "RandAugment"}), PRESET)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
