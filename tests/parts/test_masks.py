import numpy as np
import pytest
import torch
from PIL import Image

from engine.parts.masks import MaskCodes, MaskError, check_size

PIXELS = np.array([[0, 1, 2], [2, 255, 0]])


def palette_image() -> Image.Image:
    image = Image.fromarray(PIXELS.astype(np.uint8)).convert("L")
    image.putpalette([200, 0, 0] * 256)  # all in one colour: only the index tells
    return image


@pytest.mark.parametrize(
    "mask",
    [
        Image.fromarray(PIXELS.astype(np.uint8)),
        palette_image(),
        Image.fromarray(PIXELS.astype(np.uint16)),
        Image.fromarray(PIXELS.astype(np.int32)),
        PIXELS.astype(np.uint8),
        PIXELS.astype(np.int64)[None],
        torch.from_numpy(PIXELS),
        torch.from_numpy(PIXELS).byte().unsqueeze(0),
    ],
    ids=["L", "P", "I;16", "I", "array", "array of 3", "tensor", "tensor of 3"],
)
def test_a_mask_holds_the_numbers_that_its_pixels_are(mask):
    indices = MaskCodes(None, 3, ignore_index=255).indices(mask)
    assert indices.dtype == torch.int32
    assert indices.tolist() == PIXELS.tolist()


def test_black_and_white_are_the_classes_0_and_1():
    image = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1")
    assert MaskCodes(None, 2).indices(image).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_mask_values_give_each_class_its_pixel_value(dtype):
    pixels = np.array([[255, 0, 7], [7, 100, 255]], dtype=dtype)
    codes = MaskCodes([255, 0, 7], None, ignore_index=100)
    assert codes.indices(pixels).tolist() == [[0, 1, 2], [2, 100, 0]]


def test_a_class_goes_before_what_is_ignored():
    codes = MaskCodes([0, 255], None, ignore_index=255)
    assert codes.indices(np.array([[0, 255]], dtype=np.uint8)).tolist() == [[0, 1]]


def test_what_is_ignored_may_be_negative():
    pixels = np.array([[0, 1, -100]])
    assert MaskCodes(None, 2).indices(pixels).tolist() == [[0, 1, -100]]
    assert MaskCodes([1, 0], None).indices(pixels).tolist() == [[1, 0, -100]]


@pytest.mark.parametrize(
    ("codes", "value", "hint"),
    [
        (MaskCodes(None, 3), 255, 'ignore_index = 255 under [loss] if it means "don\'t know"'),
        (MaskCodes(None, 2), 255, "mask_values = [0, 255]"),
        (MaskCodes([0, 9], None), 5, "add it to data.mask_values"),
        (MaskCodes([0, 9], None), -1, "ignore_index = -1"),
        (MaskCodes([0, 9], None), 70000, "ignore_index = 70000"),
        (MaskCodes(None, None), -1, "ignore_index = -1"),
    ],
)
def test_a_value_that_is_no_class_is_told_with_what_it_may_mean(codes, value, hint):
    with pytest.raises(MaskError) as caught:
        codes.indices(np.array([[0, value, value]]))
    assert f"the value {value} (2 pixels) is no class" in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Image.new("RGB", (2, 2)), "not the colours of RGB"),
        (Image.new("RGBA", (2, 2)), "not the colours of RGBA"),
        (np.zeros((2, 2)), "whole numbers, not float64"),
        (np.zeros((2, 2, 3), dtype=np.uint8), "(height, width), not (2, 2, 3)"),
        (np.zeros((0, 2), dtype=np.uint8), "no pixels"),
        ("mask.png", "not a str"),
    ],
)
def test_what_is_no_mask_is_told(mask, words):
    with pytest.raises(MaskError) as caught:
        MaskCodes(None, 2).indices(mask)
    assert words in str(caught.value)


def test_a_mask_has_the_size_of_its_image():
    check_size(Image.new("RGB", (4, 3)), torch.zeros(3, 4))
    with pytest.raises(MaskError, match=r"the mask has 4x3 pixels, its image 3x4"):
        check_size(torch.zeros(3, 4, 3), torch.zeros(3, 4))
