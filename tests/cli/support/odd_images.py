#!/usr/bin/env python3
"""Writes pictures that a data set on a disk may hold, byte by byte: DIR/good, DIR/bad, DIR/bombs and DIR/pixel.

    tests/cli/support/odd_images.py DIR

good: odd, but pictures. bad: none. bombs: a few hundred bytes whose header says 30000 x 30000. pixel: of one pixel.
"""

import pathlib
import struct
import sys
import zlib

BOMB = 30000


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height, bits, colour):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def png(width, height, bits=8, colour=2, extra=b"", after=b""):
    """A ramp; `extra` and `after` are chunks before and after its pixels."""
    row_bytes = width * {0: 1, 2: 3, 4: 2, 6: 4}[colour] * bits // 8
    rows = b"".join(b"\0" + bytes((x * 5 + y * 3) % 256 for x in range(row_bytes)) for y in range(height))
    return (png_header(width, height, bits, colour) + extra + chunk(b"IDAT", zlib.compress(rows)) + after +
            chunk(b"IEND", b""))


def apng(width, height):
    """Two frames, the first of which is what a reader of PNG sees."""
    frame = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 10, 0, 0)
    second = struct.pack(">IIIIIHHBB", 1, width, height, 0, 0, 1, 10, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * 3 * width) * height)
    return png(width, height, extra=chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", frame),
               after=chunk(b"fcTL", second) + chunk(b"fdAT", struct.pack(">I", 2) + pixels))


def jpeg(width, height, components=3, blocks=None):
    """Mid-grey: each block is two codes of one bit. `blocks`: how many there are, if fewer than the header says."""
    segment = lambda marker, data: bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data  # noqa: E731
    one_code = lambda table: bytes([table, 1, *[0] * 15, 0])  # noqa: E731
    text = b"\xff\xd8"
    if components == 4:
        text += segment(0xEE, b"Adobe\0d\0\0\0\0\0")  # CMYK as it is
    text += segment(0xDB, b"\0" + b"\1" * 64)
    ids = range(1, components + 1)
    text += segment(0xC0, struct.pack(">BHHB", 8, height, width, components) +
                    b"".join(bytes([one, 0x11, 0]) for one in ids))
    text += segment(0xC4, one_code(0x00)) + segment(0xC4, one_code(0x10))
    text += segment(0xDA, bytes([components]) + b"".join(bytes([one, 0]) for one in ids) + b"\0\x3f\0")
    if blocks is None:
        blocks = -(-width // 8) * -(-height // 8)
    bits = "00" * components * blocks
    bits += "1" * (-len(bits) % 8)
    return text + bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)) + b"\xff\xd9"


def bmp(width, height, said=None):
    row = bytes((x * 7) % 256 for x in range(width * 3)) + b"\0" * (-width * 3 % 4)
    pixels = row * height
    width, height = said or (width, height)
    return (b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) +
            struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0) + pixels)


def vp8l(width, height):
    """One colour: five prefix codes of a single symbol each, which take no bits afterwards."""
    fields = [(0x2F, 8), (width - 1, 14), (height - 1, 14), (0, 1), (0, 3), (0, 1), (0, 1), (0, 1)]
    for symbol in (90, 160, 60, 255):  # green, red, blue, alpha
        fields += [(1, 1), (0, 1), (1, 1), (symbol, 8)]
    fields += [(1, 1), (0, 1), (0, 1), (0, 1)]  # distances
    number = shift = 0
    for value, bits in fields:
        number |= value << shift
        shift += bits
    return number.to_bytes(-(-shift // 8), "little")


def riff(*chunks):
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def canvas(flags, width, height):
    return b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def animated_webp(width, height):
    picture = vp8l(width, height)
    frame = (bytes(6) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") +
             (100).to_bytes(3, "little") + b"\0" + b"VP8L" + struct.pack("<I", len(picture)) + picture +
             b"\0" * (len(picture) % 2))
    return riff(canvas(2, width, height), (b"ANIM", bytes(6)), (b"ANMF", frame), (b"ANMF", frame))


def gif(width, height, frames=2):
    """One colour; more than one frame is an animation."""
    frame = (b"\x21\xf9\x04\0\x0a\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) +
             b"\x02\x02\x44\x01\0")
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\x20\x40\x60\xff\xff\xff" + frame * frames + b";"


def good():
    return {
        "png-named.jpg": png(20, 20),
        "webp-named.png": riff((b"VP8L", vp8l(20, 20))),
        "cmyk.jpg": jpeg(16, 16, components=4),
        "grey.jpg": jpeg(16, 16, components=1),
        "grey.png": png(20, 20, colour=0),
        "grey-alpha.png": png(20, 20, colour=4),
        "alpha.png": png(20, 20, colour=6),
        "sixteen-bits.png": png(20, 20, bits=16),
        "sixteen-bits-grey.png": png(20, 20, bits=16, colour=0),
        "frames.png": apng(20, 20),
        "thin.png": png(1, 400),
        "odd.bmp": bmp(7, 5),
        "CAPITAL.JPEG": jpeg(24, 24),
    }


def bad():
    whole_jpeg, whole_png = jpeg(64, 64), png(32, 32)
    return {
        "empty.jpg": b"",
        "empty.png": b"",
        "text.jpg": b"404 Not Found\n",
        "page.png": b"<!DOCTYPE html><html></html>",
        "zeros.jpg": bytes(4096),
        "truncated.jpg": whole_jpeg[:-8],
        "cut-header.jpg": whole_jpeg[:20],
        "truncated.png": whole_png[:len(whole_png) // 2],
        "no-end.png": whole_png[:-12],
        "flipped-bit.png": whole_png[:60] + bytes([whole_png[60] ^ 1]) + whole_png[61:],
        "no-pixels.png": png_header(8, 8, 8, 2) + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        "truncated.bmp": bmp(16, 16)[:200],
        "truncated.webp": riff((b"VP8L", vp8l(20, 20)))[:-6],
        "frames.webp": animated_webp(20, 20),
        "frames-named.jpg": gif(20, 20),
        "new\nline.jpg": b"text",
        b"not\xffutf8.jpg": b"text",
    }


def bombs():
    header = png_header(BOMB, BOMB, 8, 2)
    return {
        "bomb.png": header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b""),
        "bomb-sixteen-bits.png": png_header(BOMB, BOMB, 16, 6) + chunk(b"IDAT", b"x") + chunk(b"IEND", b""),
        "bomb.jpg": jpeg(BOMB, BOMB, blocks=4),
        "bomb-cmyk.jpg": jpeg(BOMB, BOMB, components=4, blocks=4),
        "bomb.bmp": bmp(8, 8, said=(BOMB, BOMB)),
        "bomb-canvas.webp": riff(canvas(0, BOMB, BOMB), (b"VP8L", vp8l(20, 20))),
        "bomb.webp": riff((b"VP8L", vp8l(16384, 16384))),  # the format's largest, and whole
        "bomb-gif.jpg": gif(BOMB, BOMB),
    }


def pixel():
    return {
        "one.png": png(1, 1),
        "one.jpg": jpeg(1, 1),
        "one.bmp": bmp(1, 1),
        "one.webp": riff((b"VP8L", vp8l(1, 1))),
    }


def main():
    for kind, files in (("good", good()), ("bad", bad()), ("bombs", bombs()), ("pixel", pixel())):
        folder = pathlib.Path(sys.argv[1], kind)
        folder.mkdir(parents=True)
        for name, data in files.items():
            with open(bytes(folder) + b"/" + (name if isinstance(name, bytes) else name.encode()), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
