"""Whatever a person's picture is, it becomes the upright RGB that a viewer shows, or a reason."""

import io
import struct

import numpy as np
import pytest
from made_up_pictures import encoded, pixels, png, turned
from PIL import Image, PngImagePlugin

from jax_al.pools.pictures import MAX_PIXELS, UnreadableError, decode, square

PLAIN = pixels()
ORIENTED = {  # what a viewer does to the stored rows, by the table of the EXIF standard
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x),
}


@pytest.mark.parametrize(
    ("form", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})],
)
def test_what_is_lossless_comes_back_bit_for_bit(form, options):
    np.testing.assert_array_equal(decode(encoded(PLAIN, form, **options)), PLAIN)


@pytest.mark.parametrize(
    ("form", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95}), ("GIF", {})]
)
def test_what_is_lossy_comes_back_nearly(form, options):
    found = decode(encoded(PLAIN, form, **options))
    assert (found.shape, found.dtype) == (PLAIN.shape, np.uint8)
    assert np.abs(found.astype(int) - PLAIN).mean() < 8


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_the_camera_was_held_as_exif_says(form, orientation):
    found = decode(encoded(PLAIN, form, exif=turned(orientation)))
    np.testing.assert_array_equal(found, ORIENTED[orientation](PLAIN))


@pytest.mark.filterwarnings("ignore:Tag data larger than file")
def test_odd_exif_beside_the_orientation_does_no_harm():
    """A signed number where the standard has an unsigned one; and a tag out of the file."""
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    signed = struct.pack("<HHIhh", 0x0100, 8, 1, -5, 0)
    far = struct.pack("<HHII", 0x010F, 2, 900, 2**31)
    for odd in (signed, far):
        block = struct.pack("<H", 2) + orientation + odd + bytes(4)
        exif = b"Exif\0\0II*\0\x08\0\0\0" + block
        content = encoded(PLAIN, "JPEG", quality=95, exif=exif)
        assert decode(content).shape == np.rot90(PLAIN).shape


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled(form):
    deep = (PLAIN[..., 0].astype(np.uint16) * 257)[:, :]
    found = decode(encoded(Image.fromarray(deep), form))
    np.testing.assert_array_equal(found, np.repeat(PLAIN[..., :1], 3, axis=2))
    ramp = np.arange(0, 65_536, 1_000, np.uint16)[None]
    expected = np.round(ramp / 257).astype(np.uint8)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(ramp), form))[..., 0], expected)


@pytest.mark.parametrize("mode", ["I;16", "I"])  # as Pillow reads them since 11, and before
@pytest.mark.parametrize("orientation", ORIENTED)
def test_sixteen_bits_are_scaled_however_the_camera_was_held(monkeypatch, mode, orientation):
    monkeypatch.setitem(PngImagePlugin._MODES, (16, 0), (mode, "I;16B"))
    deep = Image.fromarray(PLAIN[..., 0].astype(np.uint16) * 257)
    content = encoded(deep, "PNG", exif=turned(orientation))
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == mode
    expected = np.repeat(PLAIN[..., :1], 3, axis=2)
    np.testing.assert_array_equal(decode(content), ORIENTED[orientation](expected))


def test_sixteen_bits_a_colour_are_scaled():
    row = b"\0" + struct.pack(">6H", 65_535, 257 * 100, 0, 257 * 3, 0, 65_535)
    found = decode(png(2, 1, depth=16, data=row))
    np.testing.assert_array_equal(found, [[[255, 100, 0], [3, 0, 255]]])


def test_gray_palette_bits_and_cmyk_become_rgb():
    gray = Image.fromarray(PLAIN).convert("L")
    for form in ("PNG", "JPEG", "TIFF"):
        assert np.ptp(decode(encoded(gray, form)).astype(int), axis=2).max() == 0
    bits = Image.fromarray(np.array([[True, False]]))
    np.testing.assert_array_equal(decode(encoded(bits, "PNG")), [[[255] * 3, [0] * 3]])
    palette = Image.fromarray(PLAIN).quantize(4)
    expected = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(decode(encoded(palette, "PNG")), expected)
    inks = Image.fromarray(PLAIN).convert("CMYK")
    np.testing.assert_array_equal(decode(encoded(inks, "TIFF")), PLAIN)


def test_what_is_transparent_lies_on_white():
    clear = np.dstack([PLAIN, np.zeros(PLAIN.shape[:2], np.uint8)])
    assert (decode(encoded(clear, "PNG")) == 255).all()
    half = np.dstack([np.zeros_like(PLAIN), np.full(PLAIN.shape[:2], 128, np.uint8)])
    np.testing.assert_array_equal(decode(encoded(half, "PNG")), np.full_like(PLAIN, 127))
    gray = Image.fromarray(clear).convert("LA")
    assert (decode(encoded(gray, "PNG")) == 255).all()
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    palette.putpalette([9, 9, 9, 20, 30, 40])
    found = decode(encoded(palette, "PNG", transparency=0))
    np.testing.assert_array_equal(found, [[[255, 255, 255], [20, 30, 40]]])


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_one_gray_of_few_bits_that_is_transparent_lies_on_white(depth):
    levels, count = 1 << depth, 16
    grays = np.arange(count) % levels
    row = np.packbits(np.unpackbits(grays.astype(np.uint8)[:, None], axis=1)[:, -depth:])
    for clear in range(min(levels, count)):
        content = png(count, 1, depth, 0, b"\0" + row.tobytes(), struct.pack(">H", clear))
        expected = np.where(grays == clear, 255, grays * 255 // (levels - 1))
        np.testing.assert_array_equal(decode(content)[0], np.repeat(expected[:, None], 3, axis=1))


@pytest.mark.parametrize(("depth", "code"), [(8, "B"), (16, "H")])
def test_one_colour_that_is_transparent_lies_on_white(depth, code):
    scale, more = (256, 3) if depth == 16 else (1, 0)
    colours = np.array([[0, 0, 0], [9, 9, 9], [128, 0, 9], [0, 128, 9]])
    row = b"\0" + struct.pack(f">12{code}", *(colours * scale + more).ravel())
    for number, clear in enumerate(colours):
        content = png(4, 1, depth, 2, row, struct.pack(">3H", *(clear * scale + more)))
        expected = colours.copy()
        expected[number] = 255
        np.testing.assert_array_equal(decode(content)[0], expected)


def test_colours_of_sixteen_bits_that_are_partly_transparent_lie_on_white():
    alphas = np.array([65_535, 32_768, 255, 0])
    row = b"\0" + b"".join(struct.pack(">4H", 0, 65_535, 32_768, alpha) for alpha in alphas)
    shares = alphas[:, None] / 65_535
    expected = shares * [0, 255, 127.5] + (1 - shares) * 255
    np.testing.assert_allclose(decode(png(4, 1, 16, 6, row))[0], expected, atol=1.5)


def test_one_of_sixteen_bits_that_is_transparent_lies_on_white():
    deep = Image.fromarray(np.array([[0, 1000, 65_535]], np.uint16))
    content = encoded(deep, "PNG", transparency=1000)
    np.testing.assert_array_equal(decode(content)[0, :, 0], [0, 255, 255])


@pytest.mark.parametrize("orientation", ORIENTED)
def test_sixteen_bits_of_which_0_is_white_are_no_negative(orientation):
    """As scanners write them; Pillow stores the numbers as they are."""
    deep = Image.fromarray(PLAIN[..., 0].astype(np.uint16) * 257)
    content = encoded(deep, "TIFF", tiffinfo={0x0106: 0, 0x0112: orientation})
    expected = np.repeat(255 - PLAIN[..., :1], 3, axis=2)
    np.testing.assert_array_equal(decode(content), ORIENTED[orientation](expected))


def test_of_several_frames_the_first_counts():
    frames = [Image.fromarray(pixels(seed)) for seed in range(3)]
    moving = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(decode(moving), pixels(0))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"I am a text.", "is none of JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is none of JPEG, PNG"),
        (encoded(PLAIN, "PNG")[:120], "is broken"),
        (encoded(PLAIN, "JPEG")[:400], "is broken"),
        (encoded(PLAIN, "TIFF")[:700], "is broken"),
        (encoded(PLAIN, "BMP")[:400], "is broken"),
        (png(60_000, 60_000), "too many pixels|too many"),
        (encoded(Image.fromarray(np.float32(PLAIN[..., 0])), "TIFF"), "whose range nothing tells"),
    ],
    ids=["empty", "text", "postscript", "png", "jpeg", "tiff", "bmp", "bomb", "float"],
)
def test_what_is_no_picture_says_why(content, why):
    with pytest.raises(UnreadableError, match=why):
        decode(content)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_before_it_is_decoded():
    side = 1 + int(MAX_PIXELS**0.5)
    with pytest.raises(UnreadableError, match="too many"):
        decode(png(side, side))


def test_a_square_is_the_middle_or_the_whole_on_white():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 200
    assert (square(image, 10, "crop") == 200).all()
    whole = square(image, 30, "pad")
    assert (whole[:10] == 255).all()
    assert (whole[20:] == 255).all()
    np.testing.assert_array_equal(whole[10:20], image)
    np.testing.assert_array_equal(square(whole, 30, "crop"), whole)
    assert square(image[:, :1], 8, "pad").shape == (8, 8, 3)
