#!/usr/bin/env python3
"""A data set as large as wanted, for scripts/large_data.sh.

  make_large_set.py pictures DIR CLASSES PER_CLASS    JPEGs of about 500 x 375 pixels and 20 to 110 kB
  make_large_set.py names DIR CLASSES PER_CLASS       empty files named as ImageNet's are

The pictures are some hundred drawn ones, clouds of noise at every scale under a few shapes, encoded at several
qualities. Each file is one of them with a comment of its own, so that every file has its own bytes and its own blocks
on the disk, and takes as long to read and decode as any other.
"""
import io
import os
import random
import sys


def class_name(index):
    return f"n{1440764 + 137 * index:08d}"


def file_name(class_index, index):
    return f"{class_name(class_index)}_{(7919 * index + class_index) % 99991}.JPEG"


def fill(folder, classes, per_class, content):
    for c in range(classes):
        path = os.path.join(folder, class_name(c))
        os.makedirs(path, exist_ok=True)
        for i in range(per_class):
            with open(os.path.join(path, file_name(c, i)), "wb") as file:
                file.writelines(content(c * per_class + i))


def draw(rng, width, height):
    import numpy
    from PIL import Image, ImageDraw

    picture = numpy.zeros((height, width, 3), numpy.float32)
    size, weight = 3, 1.0
    while size < width:
        noise = rng.normal(0, 1, (size * height // width + 2, size, 3)).astype(numpy.float32)
        planes = [Image.fromarray(noise[..., c]).resize((width, height), Image.BICUBIC) for c in range(3)]
        picture += weight * numpy.stack([numpy.asarray(plane) for plane in planes], axis=-1)
        size, weight = size * 2, weight * 0.83
    picture = 128 + 28 * picture
    image = Image.fromarray(picture.clip(0, 255).astype(numpy.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, r = rng.integers(0, width), rng.integers(0, height), rng.integers(10, width // 4)
        pen.ellipse((x - r, y - r // 2, x + r, y + r // 2), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return image


def make_pictures(folder, classes, per_class):
    import numpy

    rng = numpy.random.default_rng(1)
    sizes = [(500, 375), (500, 375), (500, 333), (375, 500), (400, 300), (640, 480)]
    encoded = []
    for k in range(300):
        image = draw(rng, *sizes[k % len(sizes)])
        out = io.BytesIO()
        image.save(out, "JPEG", quality=int(rng.integers(78, 95)))
        encoded.append(out.getvalue())
    order = random.Random(2)

    def content(index):
        jpeg = encoded[order.randrange(len(encoded))]
        comment = b"picture %012d" % index
        return [jpeg[:2], b"\xff\xfe", (len(comment) + 2).to_bytes(2, "big"), comment, jpeg[2:]]

    fill(folder, classes, per_class, content)


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in ("pictures", "names"):
        sys.exit(__doc__)
    folder, classes, per_class = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if sys.argv[1] == "names":
        fill(folder, classes, per_class, lambda index: [])
    else:
        make_pictures(folder, classes, per_class)


main()
