#!/usr/bin/env python3
"""Seeds and a dictionary for the fuzz targets: tests/fuzz/seeds.py FOLDER

Small inputs of each form, made here, in FOLDER/TARGET/; words of cfgs in
FOLDER/cfg.dict. The cfgs in cfg/ and tests/cfg_bad/ are given to the fuzzer as
they are.
"""
import base64
import os
import re
import struct
import sys
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


# JPEGs of 20 x 12 pixels, by OpenCV: cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30, cv2.IMWRITE_JPEG_OPTIMIZE, 1, ...]).
JPEGS = (
    # grey
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/wAALCAAMAB"
    "QBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAABQT/xAAgEAABAwMFAQAAAAAAAAAAAAAAAQIDBCFRBREVIzNx/9oACAEBAAA/AHEq2PshFqkLpWWwAcfIK0a9otL5p8Jdkwf/"
    "2Q==",
    # colour, with restart markers
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHi"
    "gjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAMABQDASIAAhEBAxEB/8QAGAAAAgMAAAAAAAAAAAAA"
    "AAAAAAQBAwX/xAAiEAACAQMDBQEAAAAAAAAAAAABAgADESGRsdETM0FRUnL/xAAXAQADAQAAAAAAAAAAAAAAAAABAgME/8QAGxEAAwACAwAAAAAAAAAAAAAAAAECAxMRFF"
    "H/3QAEAAH/2gAMAwEAAhEDEQA/ANQJY5ci/s33k1VVRjF/gkSigC6gh2T8nmImqahAYDHlcbRpl5ZfLKVi1Q2mf//QcL0yb9VdBCJimwHeqajiEHRn0zbrP//Z",
    # grey, progressive
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/wgALCAAMAB"
    "QBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAABAP/2gAIAQEAAAABdACly//EABsQAAIBBQAAAAAAAAAAAAAAAAABMQIDERIT/9oACAEBAAEFAti6snNlEuD/xAAUEAEAAAAA"
    "AAAAAAAAAAAAAAAg/9oACAEBAAY/Al//xAAXEAEAAwAAAAAAAAAAAAAAAAABABEg/9oACAEBAAE/IasUZA//2gAIAQEAAAAQX//EABsQAAICAwEAAAAAAAAAAAAAAAABIV"
    "EQETFx/9oACAEBAAE/EFHRA6wMeXhpUf/Z",
)


def png(w, h, bits, kind, values, palette=b""):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = b"".join(b"\0" + values for _ in range(h))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, kind, 0, 0, 0)) +
            (chunk(b"PLTE", palette) if palette else b"") + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def seeds():
    """{target: [bytes]}"""
    masks = [b"\4" + text for text in (b"0 2,3\n", b"1 0,20\n0 19,1\n", b"0\n", b"9 0,21\n", b"0 1,-1\n")]
    masks += [b"\5" + png(5, 4, 8, 0, bytes([0, 1, 2, 1, 0])), b"\5" + png(5, 4, 1, 0, b"\x50"),
              b"\5" + png(5, 4, 16, 0, bytes(10)), b"\5" + png(5, 4, 2, 3, b"\x1b\0", bytes(range(12))),
              b"\5" + png(5, 4, 8, 2, bytes(15)), b"\5" + png(3, 4, 8, 0, bytes(3))]
    net = b"[net]\nwidth=8\nheight=8\nchannels=3\nbatch=2\nsubdivisions=1\n"
    layers = (b"[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\nstride=1\npad=1\nactivation=leaky\n",
              b"[maxpool]\nsize=2\nstride=2\n", b"[route]\nlayers=-1,0\n", b"[shortcut]\nfrom=-2\nactivation=linear\n",
              b"[upsample]\nstride=2\n", b"[reorg]\nstride=2\n", b"[connected]\noutput=6\nactivation=relu\n",
              b"[deconvolutional]\nfilters=2\nsize=2\nstride=2\nactivation=elu\n", b"[dropout]\nprobability=.5\n",
              b"[local_whitening]\nsize=3\n", b"[alpha_dropout]\n[selu]\n", b"[avgpool]\n", b"[softmax]\ngroups=1\n",
              b"[crop]\ncrop_width=4\ncrop_height=4\nflip=1\n", b"[local]\nfilters=2\nsize=3\nactivation=tanh\n",
              b"[normalization]\nsize=3\n", b"[rnn]\noutput=4\n", b"[crnn]\n", b"[gru]\noutput=3\n", b"[lstm]\noutput=3\n",
              b"[batchnorm]\n", b"[l2norm]\n", b"[logistic]\n", b"[cost]\ntype=sse\n", b"[iseg]\nclasses=1\nids=1\n",
              b"[convolutional]\nfilters=18\nsize=1\nactivation=linear\n[yolo]\nmask=0,1,2\nnum=3\nclasses=1\nanchors=1,2,3,4,5,6\n",
              b"[convolutional]\nfilters=7\nsize=1\nactivation=linear\n[region]\nnum=1\nclasses=2\nanchors=1,1\n",
              b"[detection]\nside=7\n")
    cfgs = [net + a + b for a in layers for b in layers[:3]]
    header = struct.pack("<iiiQ", 0, 2, 0, 64)
    # 2 (1 + 3 + 2), 3 * 2, 4 + 9 * 2 * 4, 1 + 4, 3 + 48 + 9 floats: about what weights.c's net has
    weights = [header, header[:13], header + bytes(4 * 50), header + struct.pack("<f", .5) * 149, header + bytes(4 * 200),
               struct.pack("<iiii", 0, 1, 0, 7) + bytes(4 * 149), struct.pack("<iiii", 2000, 0, 0, 7) + bytes(4 * 149)]
    lists = [b"a\nb\n\1x.png\n\0010 .5 .5 .1 .1\n1 .2 .2 .3 .3\n\1classes=2\n",
              b"a\n\1x.png\nx.png\n\1\1classes=1\n# no\n", b"\1\1\1", b"a\1nowhere.png\0010 1e9 nan 0 0\1classes=x\n"]
    labels = [b"0 .5 .5 .1 .1\n1 .2 .2 .3 .3\n", b"\xef\xbb\xbf0 .5 .5 .1 .1\r\n", b"2 .95 .5 .3 .2\n", b"0,5 nan inf 1e9 0\n",
              "0 .5 .5 .1 .1\n".encode("utf-16"), b"0 120 80 40 30", b"-1 1.5 .5 .2 0x1p-1\n"]
    pictures = [base64.b64decode(text) for text in JPEGS] + [png(5, 4, 8, 0, bytes(5)), b"BM" + bytes(52)]
    return {"pictures": pictures, "gate": cfgs, "convert": cfgs, "masks": masks, "weights": weights, "lists": lists, "labels": labels}


def main(folder):
    for target, inputs in seeds().items():
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        for i, content in enumerate(inputs):
            with open(os.path.join(folder, target, f"seed{i}"), "wb") as f:
                f.write(content)
    with open(os.path.join(ROOT, "layers/config/snn_upstream.c")) as f:
        text = "".join(re.findall(r'"([^"\n]*)"', f.read()))
    words = sorted({"[" + w + "]\\x0a" for w in re.findall(r"\b[a-z_0-9]+\b(?!:)", text) if len(w) > 2} |
                   {w + "=" for w in re.findall(r"(\w+):\w", text)})
    with open(os.path.join(folder, "cfg.dict"), "w") as f:
        f.writelines(f'"{word}"\n' for word in words)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1])
