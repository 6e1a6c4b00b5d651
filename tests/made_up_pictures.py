"""Picture files made in tests: what people have, what cameras write, what attackers send."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def pixels(seed=0, height=20, width=30):
    """Smooth colours, uint8 [H, W, 3], so that lossy formats stay close."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def encoded(image, form, **options):
    """The bytes of a file of `image`, an array or a picture of Pillow's."""
    buffer = io.BytesIO()
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def turned(orientation):
    """EXIF data that say how a camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png(width, height, depth=8, kind=2, data=b"", clear=None):
    """A PNG of raw `data` (with a filter byte a row), of whatever size it claims.

    `clear` is the chunk that says what is transparent.
    """

    def chunk(name, content):
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    before = chunk(b"IHDR", head) + (b"" if clear is None else chunk(b"tRNS", clear))
    body = before + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
