#!/usr/bin/env python3
"""Writes the goldens of the data room, tests/golden/image_*.json: what Pillow and torchvision make of pictures.

    scripts/make_image_golden.py [NAME ...]     # all, or those whose name begins with NAME

Sources of the resizing goldens come from a formula that tests/support/image_golden.h computes to the same bits; small
answers are given as pixels, large ones as hashes of them. The decoding goldens hold whole encoded files. Needs Pillow,
NumPy and torchvision (Debian: python3-torchvision).
"""

import base64
import io
import json
import pathlib
import random
import struct
import sys
import warnings
import zlib

import numpy
from PIL import Image
from torchvision import transforms
from torchvision.transforms.functional import InterpolationMode, center_crop

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
MAX_BYTES = 50_000
PILLOW = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
TORCHVISION = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


# --- pictures and answers --------------------------------------------------------------------------------------------


def noise(seed, count):
    """The top bytes of SplitMix64 started at `seed`: effnetv2's Rng."""
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(seed) + numpy.uint64(0x9E3779B97F4A7C15) * numpy.arange(1, count + 1, dtype=numpy.uint64)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(56)).astype(numpy.uint8)


def formula(seed, width, height):
    """Patches of 5 x 3: noise, a gradient, black and white, so that filters ring and clip. uint8 [height, width, 3]."""
    y, x, c = numpy.ogrid[0:height, 0:width, 0:3]
    kind = numpy.broadcast_to((x // 5 + y // 3) % 4, (height, width, 3))
    gradient = ((7 * x + 13 * y + 40 * c) % 256).astype(numpy.uint8)
    random_bytes = noise(seed, height * width * 3).reshape(height, width, 3)
    black = numpy.zeros_like(random_bytes)
    return numpy.choose(kind, [random_bytes, gradient, black, black + 255])


def source(seed, size):
    return Image.fromarray(formula(seed, *size))


def text(data):
    return base64.b64encode(data).decode()


def fnv(data):
    """FNV-1a, 64 bits, hexadecimal."""
    state = 0xCBF29CE484222325
    for byte in data:
        state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{state:016x}"


def answer(image, whole):
    return {"rgb": text(image.tobytes())} if whole else {"fnv": fnv(image.tobytes())}


def write(name, document):
    body = json.dumps(document, separators=(",", ":")).replace('{"', '\n{"').lstrip("\n") + "\n"
    assert len(body) <= MAX_BYTES, f"{name}: {len(body)} bytes"
    (GOLDEN / f"image_{name}.json").write_text(body)
    print(f"image_{name}.json: {len(body)} bytes")


# --- resizing --------------------------------------------------------------------------------------------------------

# down, down a lot, up, odd, from and to one pixel, one axis only, down in one and up in the other
SIZES = [
    ((41, 37), (16, 16)), ((97, 61), (5, 4)), ((7, 5), (23, 19)), ((33, 21), (17, 13)), ((20, 20), (40, 40)),
    ((1, 1), (9, 7)), ((31, 29), (1, 1)), ((1, 37), (1, 11)), ((1, 37), (13, 11)), ((37, 1), (11, 13)),
    ((30, 20), (12, 20)), ((30, 20), (30, 7)), ((10, 20), (25, 20)), ((40, 6), (9, 25)), ((8, 50), (31, 7)),
    ((16, 16), (15, 17)), ((2, 2), (3, 3)), ((3, 2), (2, 3)),
]
LARGE = [((500, 375), (224, 224)), ((375, 500), (32, 32)), ((640, 3), (32, 32)), ((3, 640), (64, 5)),
         ((160, 160), (32, 32)), ((28, 28), (32, 32)), ((200, 301), (384, 384)), ((1200, 2), (1, 1))]


def resized(interpolation):
    rng = random.Random(interpolation)
    sides = lambda: (rng.randint(1, 90), rng.randint(1, 90))
    cases = [(a, b, True) for a, b in SIZES] + [(a, b, False) for a, b in LARGE]
    cases += [(sides(), sides(), False) for _ in range(120)]
    result = []
    for seed, (old, new, whole) in enumerate(cases, start=1):
        image = source(seed, old).resize(new, PILLOW[interpolation])
        result.append({"seed": seed, "from": old, "to": new, **answer(image, whole)})
    return {"interpolation": interpolation, "cases": result}


def shorter_sides():
    """Resize(size) and CenterCrop(crop), as torchvision's evaluation transforms do it."""
    rng = random.Random(5)
    cases = [((w, 16), 16, 16) for w in range(16, 24)] + [((16, h), 16, 13) for h in range(17, 22)]
    cases += [((50, 40), 20, 20), ((40, 51), 20, 17), ((13, 9), 20, 16), ((30, 30), 12, 20), ((1, 7), 3, 5)]
    cases += [((500, 375), 64, 56), ((375, 500), 232, 224)]
    cases += [((rng.randint(1, 70), rng.randint(1, 70)), rng.randint(1, 40), rng.randint(1, 40)) for _ in range(100)]
    result = []
    for seed, (old, size, crop) in enumerate(cases, start=1):
        kind = ("bilinear", "bicubic")[seed % 2]
        image = transforms.Resize(size, TORCHVISION[kind])(source(seed, old))
        cropped = transforms.CenterCrop(crop)(image)
        result.append({"seed": seed, "from": old, "interpolation": kind, "size": size, "crop": crop,
                       "resized": image.size, **answer(cropped, crop < 8)})
    return result


def center_crops():
    result = []
    for seed, (old, new) in enumerate([((a, b), (c, d)) for a in (1, 4, 5, 6, 7) for b in (5, 8) for c in (1, 5, 6, 9)
                                       for d in (4, 7)], start=1):
        image = center_crop(source(seed, old), [new[1], new[0]])
        result.append({"seed": seed, "from": old, "to": new, **answer(image, False)})
    return result


# --- decoding --------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 19, 14


def save(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(bits, color_type, rows, extra=b"", interlaced=False, size=(WIDTH, HEIGHT)):
    header = struct.pack(">IIBBBBB", *size, bits, color_type, 0, 0, int(interlaced))
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def adam7(pixels):
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [row.tobytes() for x, y, dx, dy in passes for row in pixels[y::dy, x::dx] if row.size]
    return png(8, 2, rows, interlaced=True)


def packed(values, bits):
    """Rows of `bits` a value, padded to whole bytes."""
    for row in values:
        digits = "".join(format(value, f"0{bits}b") for value in row)
        digits += "0" * (-len(digits) % 8)
        yield int(digits, 2).to_bytes(len(digits) // 8, "big")


def bmp(bits, rows, height=HEIGHT, palette=b"", compression=0):
    """Rows as they are stored, each padded to four bytes unless compressed."""
    data = b"".join(row + (b"" if compression else b"\0" * (-len(row) % 4)) for row in rows)
    start = 54 + len(palette)
    return (b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start)
            + struct.pack("<IiiHHIIiiII", 40, WIDTH, height, 1, bits, compression, len(data), 0, 0, 0, 0)
            + palette + data)


def case(name, data, channels, tolerance=0, rgb=None):
    """tolerance: the largest difference of a byte from `rgb`, by default what Pillow makes of the file."""
    if rgb is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a palette with transparency is not what Pillow advises
            rgb = numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    height, width, _ = rgb.shape
    return {"name": name, "width": width, "height": height, "channels": channels, "tolerance": tolerance,
            "file": text(data), "rgb": text(rgb.tobytes())}


def smooth(size=(WIDTH, HEIGHT)):
    """Colours that JPEG keeps well, and a patch that it does not."""
    x, y = numpy.meshgrid(numpy.arange(size[0]), numpy.arange(size[1]))
    pixels = numpy.stack([x * 11 % 256, y * 17 % 256, (x * 7 + y * 9) % 256], -1).astype(numpy.uint8)
    pixels[4:9, 5:11] = formula(3, *size)[4:9, 5:11]
    return pixels


def jpegs():
    image = Image.fromarray(smooth())
    grey, cmyk = image.convert("L"), Image.fromarray(numpy.dstack([smooth(), smooth()[:, ::-1, :1] // 2]), "CMYK")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    plain = save(image, "JPEG", quality=90)
    cases = []
    for chroma, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        cases.append(case(f"baseline {chroma}", save(image, "JPEG", quality=90, subsampling=subsampling), 3))
    cases += [
        case("progressive", save(image, "JPEG", quality=90, progressive=True), 3),
        case("low quality", save(image, "JPEG", quality=10, optimize=True), 3),
        case("best quality", save(image, "JPEG", quality=100, subsampling=0), 3),
        case("grey", save(grey, "JPEG", quality=90), 1),
        case("grey progressive", save(grey, "JPEG", quality=90, progressive=True), 1),
        # 255 - c, times 255 - k: Pillow and OpenCV round the product differently
        case("cmyk", save(cmyk, "JPEG", quality=95), 4, tolerance=2),
        case("orientation", save(image, "JPEG", quality=90, exif=exif), 3),
        case("a preview inside its metadata", save(image, "JPEG", quality=90, exif=b"Exif\0\0" + plain), 3),
        case("a profile", save(image, "JPEG", quality=90, icc_profile=bytes(300)), 3),
        case("bytes behind its end", plain + b"behind\xff\xd8\xff", 3),
        case("one pixel", save(image.crop((3, 3, 4, 4)), "JPEG", quality=90), 3),
    ]
    return cases


def pngs():
    pixels = formula(11, WIDTH, HEIGHT)
    image = Image.fromarray(pixels)
    ramp = (numpy.arange(WIDTH) * 9 + numpy.arange(HEIGHT)[:, None] * 5) % 256
    alpha = Image.fromarray(ramp.astype(numpy.uint8))
    grey, palette = image.convert("L"), image.quantize(40)
    rgba, grey_alpha = image.copy(), grey.copy()
    rgba.putalpha(alpha)
    grey_alpha.putalpha(alpha)
    wide = (numpy.arange(WIDTH) * 2777 + numpy.arange(HEIGHT)[:, None] * 3001) % 65536
    wide_rgb = numpy.stack([wide, wide * 3 % 65536, wide * 7 % 65536, wide * 5 % 65536], -1)
    rows = [row.tobytes() for row in pixels]
    rows16 = lambda values: [row.astype(">u2").tobytes() for row in values]
    exif = Image.Exif()
    exif[0x0112] = 3
    return [
        case("rgb", save(image, "PNG"), 3),
        case("rgba", save(rgba, "PNG"), 4),
        case("grey with alpha", save(grey_alpha, "PNG"), 2),
        case("grey", save(grey, "PNG"), 1),
        case("palette", save(palette, "PNG"), 3),
        case("palette of 13", save(image.quantize(13), "PNG"), 3),
        case("palette with one transparent colour", save(palette, "PNG", transparency=3), 3),
        case("palette with alpha", save(palette, "PNG", transparency=bytes(range(0, 240, 6))), 3),
        case("1 bit", save(grey.convert("1"), "PNG"), 1),
        case("2 bit grey", png(2, 0, packed(ramp % 4, 2)), 1),
        case("4 bit grey", png(4, 0, packed(ramp % 16, 4)), 1),
        # Pillow cuts 16-bit grey off at 255: the high byte instead, as it takes of 16-bit colours
        case("16 bit grey", png(16, 0, rows16(wide)), 1, rgb=numpy.stack([wide >> 8] * 3, -1).astype(numpy.uint8)),
        case("16 bit rgb", png(16, 2, rows16(wide_rgb[..., :3])), 3),
        case("16 bit rgba", png(16, 6, rows16(wide_rgb)), 4),
        case("16 bit grey with alpha", png(16, 4, rows16(wide_rgb[..., :2])), 2),
        case("transparent colour", png(8, 2, rows, chunk(b"tRNS", b"".join(struct.pack(">H", v) for v in pixels[3, 3]))),
             3),
        case("gamma is not applied", png(8, 2, rows, chunk(b"gAMA", struct.pack(">I", 100_000))), 3),
        case("interlaced", adam7(pixels), 3),
        case("orientation", save(image, "PNG", exif=exif), 3),
        case("bytes behind its end", save(image, "PNG") + b"behind", 3),
        case("one pixel", save(image.crop((0, 0, 1, 1)), "PNG"), 3),
    ]


def bmps():
    pixels = formula(12, WIDTH, HEIGHT)
    image = Image.fromarray(pixels)
    grey = image.convert("L")
    rgba = image.copy()
    rgba.putalpha(grey)
    bgr = [row[:, ::-1].tobytes() for row in pixels]
    colors = b"".join(bytes([i, 255 - i, i * 7 % 256, 0]) for i in range(0, 256, 16))
    indices = (numpy.arange(WIDTH) + numpy.arange(HEIGHT)[:, None]) % 16
    runs = [bytes([10, y % 16, WIDTH - 10, 3]) + b"\0\0" for y in range(HEIGHT)] + [b"\0\1"]
    return [
        case("24 bit", save(image, "BMP"), 3),
        case("8 bit grey", save(grey, "BMP"), 3),
        case("palette", save(image.quantize(30), "BMP"), 3),
        case("4 bit", bmp(4, packed(indices, 4), palette=colors), 3),
        case("1 bit", save(grey.convert("1"), "BMP"), 3),
        case("32 bit", save(rgba, "BMP"), 3),
        case("top row first", bmp(24, bgr, height=-HEIGHT), 3),
        case("run lengths", bmp(8, runs, palette=colors * 16, compression=1), 3),
    ]


def webps():
    pixels = smooth()
    image = Image.fromarray(pixels)
    rgba = image.copy()
    rgba.putalpha(Image.fromarray(pixels[..., 0]))
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        case("lossy", save(image, "WEBP", quality=80), 3),
        case("lossless", save(Image.fromarray(formula(13, WIDTH, HEIGHT)), "WEBP", lossless=True), 3),
        case("lossy with alpha", save(rgba, "WEBP", quality=80), 3),
        case("lossless with alpha", save(rgba, "WEBP", lossless=True, exact=True), 3),
        case("orientation", save(image, "WEBP", quality=80, exif=exif), 3),
    ]


GOLDENS = {
    "resize_bilinear": lambda: resized("bilinear"),
    "resize_bicubic": lambda: resized("bicubic"),
    "shorter_side": shorter_sides,
    "center_crop": center_crops,
    "jpeg": jpegs,
    "png": pngs,
    "bmp": bmps,
    "webp": webps,
}

if __name__ == "__main__":
    for wanted, make in GOLDENS.items():
        if len(sys.argv) == 1 or any(wanted.startswith(prefix) for prefix in sys.argv[1:]):
            write(wanted, make())
