"""Picture files as people have them, made into upright RGB images.

One decoder for whoever looks at a picture: the scan of a folder, the features, what is shown.
"""

import io
from typing import Any

import numpy as np

# What is tried, by content and not by the ending of a name. Formats that run programs (PostScript)
# or fetch other files are not among them.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 1 << 27  # more are a fault or an attack: 384 MiB of RGB
FITS = ("crop", "pad")
ORIENTATION = 0x0112  # EXIF's tag of how the camera was held
PHOTOMETRIC, WHITE_IS_ZERO = 0x0106, 0  # TIFF's tag of what numbers stand for, as scanners write it


class UnreadableError(Exception):
    """A file that is no picture to be had; the message says why, as the end of a sentence."""


def decode(content: bytes, *, enough: int | None = None) -> np.ndarray:
    """Returns the picture that a file holds, upright as its EXIF orientation says.

    The first frame of several. What is transparent lies on white; gray is repeated; 16 bits are
    scaled to 8, not cut; CMYK, palettes and one bit become RGB.

    Args:
      content: of the file, whole.
      enough: pixels of the longer side that are enough where the picture is shown smaller: a JPEG
        is then read at a half, a quarter or an eighth of its size, but no smaller than that, which
        is faster. None: whole.

    Returns:
      uint8 [H, W, 3].

    Raises:
      UnreadableError: it is of none of FORMATS, or broken, or larger than MAX_PIXELS, or its
        pixels are 32-bit or floating point numbers, whose range nothing tells.
    """
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise UnreadableError("is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableError(
                    f"has {image.width:,} x {image.height:,} pixels, which is too many"
                )
            if enough is not None:
                _read_smaller(image, enough)
            _name_what_is_clear(image, content)
            picture = np.asarray(rgb(_upright(image), image.format))
            return 255 - picture if _is_negative(image) else picture
    except UnreadableError:
        raise
    except UnidentifiedImageError:
        raise UnreadableError(f"is none of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise UnreadableError("has too many pixels") from None
    except Exception as error:  # each format has its own for damaged bytes
        raise UnreadableError(
            f"is broken ({' '.join(str(error).split()) or type(error).__name__})"
        ) from error


def square(pixels: np.ndarray, size: int, fit: str) -> np.ndarray:
    """Returns a picture uint8 [H, W, 3] as a square, uint8 [size, size, 3].

    Args:
      pixels: the picture.
      size: side of the square.
      fit: "crop": the shorter side becomes `size` and the middle stays; "pad": the longer side
        becomes `size`, and the rest is white.
    """
    from PIL import Image

    height, width, _ = pixels.shape
    if (height, width) == (size, size):
        return pixels
    image = Image.fromarray(pixels)
    bicubic = Image.Resampling.BICUBIC  # widens with the scale, and so antialiases
    if fit == "crop":
        side = min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize((size, size), bicubic, box=box))
    scale = size / max(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    whole = Image.new("RGB", (size, size), "white")
    whole.paste(image.resize(small, bicubic), ((size - small[0]) // 2, (size - small[1]) // 2))
    return np.asarray(whole)


def rgb(image: Any, form: str | None) -> Any:
    """Returns a picture of Pillow's of any mode as one of RGB; see `decode`.

    Args:
      image: upright or not.
      form: the format of its file: the picture itself forgets it when it is turned.

    Raises:
      UnreadableError: nothing tells the range of its pixels.
    """
    from PIL import Image

    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return image
    if mode.startswith("I;16") or (mode == "I" and form == "PNG"):
        values = np.asarray(image).astype(np.uint32)
        if (clear := image.info.get("transparency")) is not None:
            values[values == clear] = 65535
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if mode in ("I", "F"):
        raise UnreadableError(f"has pixels of type {mode}, whose range nothing tells")
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        top = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", top.size, "white"), top).convert("RGB")
    return image.convert("RGB")


def _is_negative(image: Any) -> bool:
    """Whether 0 is white, which Pillow sees to in pictures of fewer than 16 bits."""
    is_deep = image.format == "TIFF" and image.mode.startswith("I;16")
    return is_deep and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO


def _name_what_is_clear(image: Any, content: bytes) -> None:
    """Has the transparent gray or colour of a PNG named as Pillow reads its pixels, in 8 bits.

    Pillow names it as the file does: of gray pictures of 2 or 4 bits by a number that no pixel has
    when they are read, of colours of 16 bits by one that others may have. Of these Pillow reads the
    upper bytes alone, so colours that share them with the transparent one are clear, too.
    """
    clear = image.info.get("transparency")
    if image.format != "PNG" or content[12:16] != b"IHDR":  # a header elsewhere is none by its rule
        return
    depth = content[24]
    if isinstance(clear, int) and image.mode == "L" and depth < 8:
        most = (1 << depth) - 1
        image.info["transparency"] = (clear & most) * 255 // most
    elif isinstance(clear, tuple) and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def _read_smaller(image: Any, enough: int) -> None:
    """Makes a JPEG that is not loaded yet load at a part of its size; others stay as they are."""
    longer = max(image.size)
    part = next((part for part in (8, 4, 2) if longer // part >= enough), 1)
    image.draft(image.mode, tuple(max(1, side // part) for side in image.size))


def _upright(image: Any) -> Any:
    """Returns a picture of Pillow's as its EXIF orientation says.

    `ImageOps.exif_transpose` writes the rest of the EXIF anew as well, which fails if any of it is
    odd, as in many photos it is.
    """
    from PIL import Image

    turn = Image.Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM, 5: turn.TRANSPOSE,
        6: turn.ROTATE_270, 7: turn.TRANSVERSE, 8: turn.ROTATE_90,
    }  # fmt: skip
    image.load()
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # no EXIF to be read, but pixels
        return image
    return image.transpose(turns[orientation]) if orientation in turns else image
