"""Masks pasted into images and cropped to boxes, against the definitions in float64."""

import math

import numpy as np
import oracle_align as oracle
import pytest
from helpers import MASK_DTYPES, random_boxes, random_masks

import fastroi


def detectron(mask, box, size):
    """Pixel by pixel: the padded mask stretched over the grown, truncated box."""
    padded = np.pad(mask.astype(np.float64), 1)
    out = np.zeros(size)
    axes = []
    for low, high, cells, pixels in (
        (box[1], box[3], mask.shape[0], size[0]),
        (box[0], box[2], mask.shape[1], size[1]),
    ):
        half, middle = (high - low) * 0.5 * ((cells + 2) / cells), (high + low) * 0.5
        first, last = math.trunc(middle - half), math.trunc(middle + half)
        taps = {}
        for pixel in range(max(first, 0), min(last + 1, pixels)):
            v = (pixel - first + 0.5) * ((cells + 2) / (last - first + 1)) - 0.5
            v = min(max(v, 0), cells + 1)
            below = min(int(v), cells)
            taps[pixel] = (below, v - below)
        axes.append(taps)
    for y, (i, fy) in axes[0].items():
        for x, (j, fx) in axes[1].items():
            top = padded[i, j] * (1 - fx) + padded[i, j + 1] * fx
            bottom = padded[i + 1, j] * (1 - fx) + padded[i + 1, j + 1] * fx
            out[y, x] = top * (1 - fy) + bottom * fy
    return out


@pytest.mark.parametrize("seed", range(10))
def test_paste(seed):
    """5,000 boxes in all."""
    rng = np.random.default_rng(seed)
    dtype = MASK_DTYPES[seed % 4]
    for shape, size in (
        ((7, 7), (15, 21)),
        ((1, 1), (9, 5)),
        ((28, 28), (12, 17)),
        ((3, 5), (20, 8)),
        ((4, 2), (1, 11)),
    ):
        masks, boxes = random_masks(rng, (100, *shape), dtype), random_boxes(rng, 100, size)
        straight = (boxes[:, 0] != boxes[:, 2]) & (boxes[:, 1] != boxes[:, 3])
        masks, boxes = masks[straight], boxes[straight]
        reversed_ = (boxes[:, 0] > boxes[:, 2] + 3) | (boxes[:, 1] > boxes[:, 3] + 3)
        for rule, clip in (("detectron2", True), ("detectron2_full", False)):
            expected = oracle.paste_masks(masks, boxes, size, clip)[0]
            values = fastroi.paste_masks(masks, boxes, size, None, rule=rule, num_threads=1 + seed % 2)
            assert values.dtype == (np.float64 if dtype == "float64" else np.float32)
            assert np.abs(values - expected).max() < (1e-9 if dtype == "float64" else 1e-6)
            if clip:
                assert not values[reversed_].any()
            for threshold in (0.5, 0.25):
                pasted = fastroi.paste_masks(masks, boxes, size, threshold, rule=rule)
                assert pasted.dtype == bool
                clear = np.abs(expected - threshold) > 1e-6
                assert np.array_equal(pasted[clear], (expected >= threshold)[clear])


@pytest.mark.parametrize("dtype", MASK_DTYPES)
def test_paste_by_detectrons_rule(dtype, rng):
    size = (17, 23)
    masks, boxes = random_masks(rng, (120, 5, 6), dtype), random_boxes(rng, 120, size)
    expected = np.stack([detectron(mask, box, size) for mask, box in zip(masks, boxes, strict=True)])
    values = fastroi.paste_masks(masks, boxes, size, None, rule="detectron")
    assert np.abs(values - expected).max() < 1e-5
    pasted = fastroi.paste_masks(masks, boxes, size, rule="detectron")
    clear = np.abs(expected - 0.5) > 1e-5
    assert np.array_equal(pasted[clear], (expected > 0.5)[clear])


def test_a_constant_mask_meets_its_own_threshold():
    """Weights that sum to one must not make 0.5 less than 0.5."""
    for value in (0.5, 0.3, 0.7):
        masks = np.full((1, 28, 28), value, np.float32)
        pasted = fastroi.paste_masks(masks, [[3.3, 2.1, 93.7, 77.9]], (80, 100), value)
        assert pasted[0, 5:74, 6:90].all()


@pytest.mark.parametrize("seed", range(10))
def test_crop(seed):
    """5,000 boxes in all, of every type of mask."""
    rng = np.random.default_rng(100 + seed)
    dtype = MASK_DTYPES[seed % 4]
    for size, bins in (((15, 21), 3), ((1, 9), (2, 3)), ((30, 12), (5, 4)), ((8, 8), 1), ((11, 40), (2, 7))):
        masks, boxes = random_masks(rng, (100, *size), dtype), random_boxes(rng, 100, size)
        expected, magnitude, taps = oracle.crop_masks(masks, boxes, bins)
        values = fastroi.crop_masks(masks, boxes, bins, None, num_threads=1 + seed % 2)
        assert values.dtype == (np.float64 if dtype == "float64" else np.float32)
        assert np.abs(values - expected).max() < (1e-9 if dtype == "float64" else 1e-6)
        cropped = fastroi.crop_masks(masks, boxes, bins)
        clear = np.abs(expected - 0.5) > 1e-6
        assert cropped.dtype == bool
        assert np.array_equal(cropped[clear], (expected >= 0.5)[clear])


def test_crop_is_roi_align(rng):
    masks, boxes = random_masks(rng, (6, 20, 30), "bool"), random_boxes(rng, 40, (20, 30))
    indices = rng.integers(0, 6, 40)
    for aligned in (True, False):
        for ratio in (-1, 2):
            aligned_maps = fastroi.roi_align(
                masks[:, None].astype(np.float64), boxes, 7, 1.0, ratio, aligned, batch_indices=indices
            )[:, 0]
            options = dict(sampling_ratio=ratio, aligned=aligned, mask_indices=indices)
            assert np.allclose(fastroi.crop_masks(masks, boxes, 7, None, **options), aligned_maps, atol=1e-7)


def test_there_and_back():
    masks = np.zeros((1, 40, 50), bool)
    masks[0, 10:30, 15:45] = True
    box = [[15, 10, 45, 30]]
    cropped = fastroi.crop_masks(masks, box, 14)
    assert cropped.all()
    assert np.array_equal(fastroi.paste_masks(cropped, box, (40, 50)), masks)


def test_strides_out_and_inputs_kept(rng):
    masks, boxes = random_masks(rng, (9, 6, 8)), random_boxes(rng, 9, (13, 19))
    expected = fastroi.paste_masks(masks, boxes, (13, 19))
    for dtype, threshold in ((bool, 0.5), (np.float32, None)):
        out = np.ones((9, 26, 38), dtype)[:, ::-2, ::2]
        result = fastroi.paste_masks(np.asfortranarray(masks), boxes, (13, 19), threshold, out=out)
        assert result is out
        assert np.array_equal(out >= 0.5 if threshold is None else out, expected)
    assert np.array_equal(fastroi.paste_masks(masks[:, None], boxes, (13, 19)), expected)
    frames = random_masks(rng, (9, 13, 19), "bool")
    cropped = fastroi.crop_masks(frames, boxes, 4)
    assert np.array_equal(fastroi.crop_masks(np.asfortranarray(frames), boxes, 4), cropped)
    out = np.ones((9, 8, 4), bool)[:, ::2]
    assert fastroi.crop_masks(frames, boxes, 4, out=out) is out
    assert np.array_equal(out, cropped)


def test_nan_reaches_only_what_touches_it():
    masks = np.ones((1, 4, 4), np.float32)
    masks[0, 1, 1] = np.nan
    values = fastroi.paste_masks(masks, [[0, 0, 4, 4]], (4, 4), None)
    assert np.isnan(values[0, 1, 1]) and np.isnan(values).sum() == 1
    values = fastroi.crop_masks(masks, [[0, 0, 4, 4]], 4, None)
    assert np.isnan(values[0, 1, 1]) and np.isnan(values).sum() == 1


@pytest.mark.parametrize("side", (1e5, 1e9, 1e15, 1e30, 1e300))
def test_huge_boxes(side):
    masks = np.ones((3, 5, 5), np.float32)
    boxes = [[-side, -side, side, side], [0, 0, side, side], [side, side, 2 * side, 2 * side]]
    for rule in ("detectron2", "detectron2_full", "detectron"):
        for arithmetic in ("float64", "float32"):
            values = fastroi.paste_masks(masks, boxes, (20, 30), None, rule=rule, arithmetic=arithmetic)
            assert ((values >= 0) & (values <= 1.0001)).all()
    assert np.isfinite(fastroi.crop_masks(masks, boxes, 3, None)).all()


def test_a_box_without_area_pastes_nothing():
    boxes = [[2, 1, 2, 4], [1, 3, 4, 3], [2, 2, 2, 2]]
    for rule in ("detectron2", "detectron2_full"):
        assert not fastroi.paste_masks(np.ones((3, 4, 4)), boxes, (6, 6), rule=rule).any()
    assert fastroi.paste_masks(np.ones((3, 4, 4)), boxes, (6, 6), rule="detectron").any(axis=(1, 2)).all()


def test_empty():
    assert fastroi.paste_masks(np.zeros((0, 3, 3)), np.zeros((0, 4)), (5, 6)).shape == (0, 5, 6)
    assert fastroi.crop_masks(np.zeros((0, 3, 3)), np.zeros((0, 4)), 2).shape == (0, 2, 2)


def test_bad_arguments():
    masks, boxes = np.ones((1, 3, 3), np.float32), [[0.0, 0, 2, 2]]
    paste, crop = fastroi.paste_masks, fastroi.crop_masks
    for call, error, words in (
        (lambda: paste(masks, [[0, 0, math.nan, 2]], (5, 5)), ValueError, r"\[0\]: x2 is"),
        (lambda: paste(masks, [[0, 0, 2, 2], [0, 0, 2, 2]], (5, 5)), ValueError, "masks"),
        (lambda: paste(masks, [[0, 0, 0, 2, 2]], (5, 5)), ValueError, "boxes: shape"),
        (lambda: paste(masks[0], boxes, (5, 5)), ValueError, "masks"),
        (lambda: paste(masks.astype(int), boxes, (5, 5)), TypeError, "masks"),
        (lambda: paste(masks.astype(">f4"), boxes, (5, 5)), TypeError, "masks"),
        (lambda: paste(masks[:, :0], boxes, (5, 5)), ValueError, "masks"),
        (lambda: paste(masks, boxes, (0, 5)), ValueError, "image_size"),
        (lambda: paste(masks, boxes, (5, 5), -1.0), ValueError, "threshold"),
        (lambda: paste(masks, boxes, (5, 5), math.nan), ValueError, "threshold"),
        (lambda: paste(masks, boxes, (5, 5), rule="pil"), ValueError, "rule"),
        (lambda: paste(masks, boxes, (5, 5), out=np.zeros((1, 5, 5))), TypeError, "out"),
        (lambda: paste(masks, boxes, (3, 3), None, out=masks), ValueError, "shares memory"),
        (lambda: paste(masks, boxes, (5, 5), out=[[[0]]]), TypeError, "out"),
        (lambda: crop(masks, boxes, 2, mask_indices=[1]), ValueError, "batch index 1"),
        (lambda: crop(masks, boxes * 2, 2), ValueError, "boxes"),
        (lambda: crop(masks, boxes, 2, aligned="image"), TypeError, "aligned"),
        (lambda: crop(masks, boxes, 0), ValueError, "output_size"),
        (lambda: crop(masks, boxes, 2**31), OverflowError, "output_size"),
    ):
        with pytest.raises(error, match=words):
            call()
