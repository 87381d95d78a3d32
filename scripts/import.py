#!/usr/bin/python3
"""Brings a data set in Pascal VOC's or COCO's form, or of masks, into Darknet's layout.

    scripts/import.py voc ANNOTATIONS IMAGES OUT    [--names A,B] [--test LIST|SHARE] [--side N]
    scripts/import.py coco INSTANCES.json IMAGES OUT [--names A,B] [--test LIST|SHARE] [--side N] [--masks]
    scripts/import.py masks MASKS IMAGES OUT        [--names A,B] [--test LIST|SHARE] [--side N]

  ANNOTATIONS  a folder of NAME.xml
  MASKS        a folder of NAME.png, pixel = class, as VOC's SegmentationClass; 255 counts
               as background. Where they hold 0 and 255 alone, 255 is class 1
  IMAGES       a folder, with all below it; an image is found by its name
  --names      the classes to keep, in their order; default all, those of VOC sorted, of
               COCO by category id, of masks "background,class1,..". Masks' first is the background
  --test       a file of image names, one a line, or a share such as .2. Default: ImageSets/Main/test.txt
               or val.txt beside ANNOTATIONS, test.txt beside MASKS, where it is there; else .2.
               A share takes the images whose names have the lowest checksums: the same
               ones whatever the order, and those in it stay when images are added
  --side       writes images of at most N pixels a side; default: links to the originals
  --masks      writes COCO's segmentations as masks too, and segments.data

Writes OUT/images, OUT/labels or OUT/mask, train.txt, test.txt, set.names, set.data and backup/; train-75.txt
and so on are for you to make with `head`. Left out, and counted: boxes that are marked difficult or as a crowd,
of classes that --names lacks, with no pixel in the image. Boxes that reach beyond the image are cut.
Sizes are those of the images themselves, whatever the annotation says.

The last line of stdout is `N train, N test, N boxes, N left out`. Exit status: 0 done, 1 a file is in the
way, 2 usage. Needs Debian's python3-opencv; pycocotools for masks in COCO's run lengths.
"""
import argparse
import collections
import json
import os
import sys
import xml.etree.ElementTree as ElementTree
import zlib

try:
    import cv2
    import numpy as np
except ImportError as error:
    sys.exit(f"import.py: {error}; install Debian's python3-opencv and run this with /usr/bin/python3")

IMAGES = (".jpg", ".jpeg", ".png", ".bmp")
BORDER = 255
# Upstream rotates nothing, whatever a camera has noted.
AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


class Mistake(Exception):
    """A sentence about a file that the user gave."""


class Photo:
    """An image, its objects [(class name, x0, y0, x1, y1)] in pixels, and what is to be drawn as a mask."""

    def __init__(self, name, path):
        self.name, self.path, self.objects, self.mask = name, path, [], None
        self.width = self.height = 0


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def images_below(folder):
    """{stem: path} of all images in a folder and below."""
    found = {}
    for where, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.lower().endswith(IMAGES):
                other = found.setdefault(stem(name), os.path.join(where, name))
                if other != os.path.join(where, name):
                    raise Mistake(f"{folder}: expected one image of each name, got {other} and {os.path.join(where, name)}")
    if not found:
        raise Mistake(f"{folder}: expected images ({', '.join(IMAGES)}), got none")
    return found


def read_voc(folder, images, counts):
    photos = []
    for file in sorted(name for name in os.listdir(folder) if name.endswith(".xml")):
        path = os.path.join(folder, file)
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise Mistake(f"{path}: expected XML, got \"{error}\"") from error
        # The file's own name is the image's; the name inside is often of another time.
        if stem(file) not in images:
            counts["annotations without an image"] += 1
            continue
        photo = Photo(stem(file), images[stem(file)])
        for item in root.iter("object"):
            try:
                box = [float(item.find("bndbox").findtext(key)) for key in ("xmin", "ymin", "xmax", "ymax")]
                name = item.findtext("name").strip()
            except (AttributeError, TypeError, ValueError) as error:
                raise Mistake(f"{path}: <object>: expected <name> and four numbers in <bndbox>, got \"{error}\"") from error
            if (item.findtext("difficult") or "0").strip() == "1":
                counts["difficult"] += 1
                continue
            # VOC counts pixels from 1, the last one included.
            photo.objects.append((name, box[0] - 1, box[1] - 1, box[2], box[3]))
        photos.append(photo)
    return photos, sorted({o[0] for photo in photos for o in photo.objects})


def read_coco(file, images, counts, with_masks):
    try:
        with open(file, encoding="utf-8") as f:
            content = json.load(f)
        names = {c["id"]: c["name"] for c in sorted(content["categories"], key=lambda c: c["id"])}
        photos = {}
        for i in content["images"]:
            name = stem(i["file_name"])
            if name in images:
                photos[i["id"]] = Photo(name, images[name])
            else:
                counts["annotations without an image"] += 1
        for a in content["annotations"]:
            photo = photos.get(a["image_id"])
            if not photo:
                continue
            if a.get("iscrowd"):
                counts["crowd"] += 1
                continue
            x, y, w, h = a["bbox"]
            photo.objects.append((names[a["category_id"]], x, y, x + w, y + h))
            if with_masks:
                photo.mask = (photo.mask or []) + [(names[a["category_id"]], a.get("area", w * h), a["segmentation"])]
    except (ValueError, KeyError, TypeError) as error:
        raise Mistake(f"{file}: expected COCO's images, annotations and categories, got {error!r}") from error
    return [photos[key] for key in sorted(photos, key=lambda k: photos[k].name)], list(names.values())


def read_masks(folder, images, counts):
    photos, classes, largest = [], set(), 0
    for file in sorted(name for name in os.listdir(folder) if name.endswith(".png")):
        if stem(file) not in images:
            counts["masks without an image"] += 1
            continue
        photo = Photo(stem(file), images[stem(file)])
        photo.mask = os.path.join(folder, file)
        classes |= set(np.unique(labels_of(photo.mask)).tolist())
        photos.append(photo)
    largest = 1 if classes <= {0, BORDER} else max(classes - {BORDER}, default=0)
    return photos, ["background"] + [f"class{k}" for k in range(1, largest + 1)]


def labels_of(path):
    """The pixels of a PNG as its file has them: OpenCV turns a palette into colours."""
    grey = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if grey is not None and grey.ndim == 2:
        return grey
    try:
        import PIL.Image
    except ImportError as error:
        raise Mistake(f"{path}: expected a grey PNG; install Debian's python3-pil for one with a palette") from error
    try:
        image = PIL.Image.open(path)
    except OSError as error:
        raise Mistake(f"{path}: expected a PNG, got \"{error}\"") from error
    if image.mode not in ("P", "L"):
        raise Mistake(f"{path}: expected a grey PNG or one with a palette, got {image.mode}")
    return np.array(image)


def drawn(photo, names, counts):
    """The mask of COCO's segmentations, large ones first: pixel = 1 + class."""
    mask = np.zeros((photo.height, photo.width), np.uint8)
    for name, _, shape in sorted(photo.mask or [], key=lambda m: -m[1]):
        if name not in names:
            continue
        if isinstance(shape, list):
            points = [np.round(np.array(p, float).reshape(-1, 2)).astype(np.int32) for p in shape if len(p) >= 6]
            cv2.fillPoly(mask, points, 1 + names.index(name))
            continue
        try:
            from pycocotools import mask as coco
        except ImportError:
            counts["masks in run lengths, without pycocotools"] += 1
            continue
        rle = shape if isinstance(shape["counts"], (str, bytes)) else coco.frPyObjects(shape, *shape["size"])
        mask[coco.decode(rle) > 0] = 1 + names.index(name)
    return mask


def take(photo, names, counts):
    """Darknet's lines for the objects that are kept."""
    lines = []
    for name, x0, y0, x1, y1 in photo.objects:
        if name not in names:
            counts["of other classes"] += 1
            continue
        cut = (max(x0, 0), max(y0, 0), min(x1, photo.width), min(y1, photo.height))
        if not (cut[2] - cut[0] >= 1 and cut[3] - cut[1] >= 1):
            counts["of no pixel in the image"] += 1
            continue
        counts["cut at the image's border"] += cut != (x0, y0, x1, y1)
        lines.append(f"{names.index(name)} {(cut[0] + cut[2]) / 2 / photo.width:.6f} {(cut[1] + cut[3]) / 2 / photo.height:.6f} "
                     f"{(cut[2] - cut[0]) / photo.width:.6f} {(cut[3] - cut[1]) / photo.height:.6f}")
    return lines


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


def fitting(image, side, how):
    scale = side / max(image.shape[:2]) if side else 1
    return image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)


def place(photo, out, side):
    """Puts the image into OUT/images: a link, or a smaller copy. False where it cannot be read."""
    image = cv2.imread(photo.path, AS_STORED)
    if image is None:
        return None
    photo.height, photo.width = image.shape[:2]
    target = os.path.join(out, "images", os.path.basename(photo.path))
    if os.path.lexists(target):
        os.remove(target)
    if side and max(image.shape[:2]) > side:
        # PNG: a second loss would be seen at this size.
        target = os.path.splitext(target)[0] + ".png"
        cv2.imwrite(target, fitting(image, side, cv2.INTER_AREA))
    else:
        os.symlink(os.path.abspath(photo.path), target)
    return target


def place_mask(photo, out, names, side, counts):
    if isinstance(photo.mask, str):
        mask = labels_of(photo.mask)
        if mask.shape != (photo.height, photo.width):
            raise Mistake(f"{photo.mask}: expected {photo.width} x {photo.height} pixels as {photo.path}, "
                          f"got {mask.shape[1]} x {mask.shape[0]}")
        border = mask == BORDER
        mask = np.where(border, 1 if len(names) == 2 and set(np.unique(mask)) <= {0, BORDER} else 0, mask)
        if mask.max() >= len(names):
            raise Mistake(f"{photo.mask}: expected classes below {len(names)}, got {mask.max()}")
    else:
        mask = drawn(photo, names, counts)
    cv2.imwrite(os.path.join(out, "mask", photo.name + ".png"), fitting(mask.astype(np.uint8), side, cv2.INTER_NEAREST))


def test_names(options, photos):
    """The names of the images to test on."""
    if options.form != "coco":
        beside = os.path.dirname(os.path.abspath(options.source))
        known = [os.path.join(beside, *p) for p in (("ImageSets", "Main", "test.txt"), ("ImageSets", "Main", "val.txt"), ("test.txt",))]
    else:
        known = []
    given = options.test or next((path for path in known if os.path.exists(path)), ".2")
    try:
        share = float(given)
    except ValueError:
        with open(given, encoding="utf-8") as f:
            wanted = {stem(line.split()[0]) for line in f if line.split()}
        names = wanted & {photo.name for photo in photos}
        print(f"test images: those of {given}")
        if not names:
            raise Mistake(f"{given}: expected names of images, got none that is in the set")
        return names
    if not 0 < share < 1:
        raise Mistake(f'--test: expected a list or a share between 0 and 1, got "{given}"')
    order = sorted(photos, key=lambda photo: (zlib.crc32(photo.name.encode()), photo.name))
    print(f"test images: a share of {share:g}, by checksum of the name")
    return {photo.name for photo in order[:max(1, round(share * len(order)))]}


def bring(options):
    counts = collections.Counter()
    images = images_below(options.images)
    if options.form == "voc":
        photos, names = read_voc(options.source, images, counts)
    elif options.form == "coco":
        photos, names = read_coco(options.source, images, counts, options.masks)
    else:
        photos, names = read_masks(options.source, images, counts)
    if not photos:
        raise Mistake(f"{options.source}: expected annotations of images in {options.images}, got none")
    names = options.names.split(",") if options.names else names
    has_boxes, has_masks = options.form != "masks", options.form == "masks" or options.masks
    test = test_names(options, photos)
    out = os.path.abspath(options.out)
    for folder in ["images", "backup"] + ["labels"] * has_boxes + ["mask"] * has_masks:
        os.makedirs(os.path.join(out, folder), exist_ok=True)
    lists, boxes = {"train": [], "test": []}, 0
    for photo in photos:
        target = place(photo, out, options.side)
        if not target:
            counts["images that cannot be read"] += 1
            continue
        if has_boxes:
            lines = take(photo, names, counts)
            boxes += len(lines)
            write(os.path.join(out, "labels", photo.name + ".txt"), "".join(line + "\n" for line in lines))
        if has_masks:
            place_mask(photo, out, names, options.side, counts)
        lists["test" if photo.name in test else "train"].append(target)
    for name, paths in lists.items():
        write(os.path.join(out, name + ".txt"), "".join(path + "\n" for path in paths))
    if has_boxes:
        write_data(out, "set", names, len(names))
    if has_masks:
        classes = names if options.form == "masks" else ["background"] + names
        # One class and its background: masks of 0 and 1.
        write_data(out, "segments" if has_boxes else "set", classes, len(classes))
    for reason, count in sorted(counts.items()):
        if count:
            print(f"{count} {reason}")
    left = sum(counts[reason] for reason in ("difficult", "crowd", "of other classes", "of no pixel in the image"))
    print(f"{len(lists['train'])} train, {len(lists['test'])} test, {boxes} boxes, {left} left out")


def write_data(out, stem_, names, classes):
    write(os.path.join(out, stem_ + ".names"), "".join(name + "\n" for name in names))
    keys = {"classes": classes, "train": f"{out}/train.txt", "valid": f"{out}/test.txt",
            "names": f"{out}/{stem_}.names", "backup": f"{out}/backup"}
    write(os.path.join(out, stem_ + ".data"), "".join(f"{key}={value}\n" for key, value in keys.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("form", choices=("voc", "coco", "masks"))
    parser.add_argument("source")
    parser.add_argument("images")
    parser.add_argument("out")
    parser.add_argument("--names")
    parser.add_argument("--test")
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--masks", action="store_true")
    options = parser.parse_args()
    try:
        bring(options)
    except (Mistake, OSError) as mistake:
        print(mistake, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
