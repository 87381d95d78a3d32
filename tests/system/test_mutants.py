#!/usr/bin/env python3
"""Kernels broken on purpose: each mistake must make the kernels' test fail.

    tests/system/test_mutants.py --compile "gcc FLAGS" --objects DIR --test SOURCE

DIR holds the objects that the test is linked from. A mutant is a copy of one file of layers/
with one text replaced; the kernels that include it are compiled again, and linked to the others.
"""
import glob
import os
import shutil
import shlex
import subprocess

import harness

WHITENING = "local_whitening_kernels.cu"

# name, file that is broken, kernels to compile again, text, what it becomes
MUTANTS = [
    ("selu_off_by_one", "selu_kernels.cu", "selu_kernels.cu",
     "y[i + k] = snn_selu(x[i + k])", "y[i + k] = snn_selu(x[i + k + 1])"),
    ("selu_without_bound", "selu_kernels.cu", "selu_kernels.cu",
     "if (i + k < count) y[i + k]", "y[i + k]"),
    ("selu_takes_alignment_for_granted", "selu_kernels.cu", "selu_kernels.cu",
     "if (aligned && i + 4 <= count) {\n        snn_four v = *(const snn_four *)(x + i);",
     "if (i + 4 <= count + 3) {\n        snn_four v = *(const snn_four *)(x + i);"),
    ("selu_gradient_overwrites", "selu_kernels.cu", "selu_kernels.cu", "o.v[k] +=", "o.v[k] ="),
    ("mask_of_the_next_word", "alpha_dropout_kernels.cu", "alpha_dropout_kernels.cu",
     "draw(j, word);\n    __syncthreads", "draw(j, word + 1);\n    __syncthreads"),
    ("mask_read_too_early", "alpha_dropout_kernels.cu", "alpha_dropout_kernels.cu",
     "    __syncthreads();\n", ""),
    ("channels_end_one_late", "alpha_dropout_kernels.cu", "alpha_dropout_kernels.cu",
     "size_t parts = (size + EACH - 1) / EACH", "size_t parts = size / EACH + 1"),
    ("column_leaves_one_row_late", "snn_slide.h", WHITENING, "row + r - j.ry - 1;", "row + r - j.ry - 2;"),
    ("row_enters_beyond_the_image", "snn_slide.h", WHITENING, "if (in < j.h)", "if (in <= j.h)"),
    ("totals_miss_the_last_column", "snn_slide.h", WHITENING, "each < w ? begin + each : w",
     "each < w ? begin + each : w - 1"),
    ("totals_without_barrier", "snn_slide.h", WHITENING,
     "            sums[row][q][lane] = sum;\n        }\n    }\n    __syncthreads();",
     "            sums[row][q][lane] = sum;\n        }\n    }"),
    ("sums_of_half_the_threads", WHITENING, WHITENING, "for (half = THREADS / 2;", "for (half = THREADS / 4;"),
    ("matrix_of_the_next_pixel", "snn_matrix_pixels.h", "snn_small_kernels.cu",
     "snn_whiten_tile(&p.j, p.sums,", "snn_whiten_tile(&p.j, p.sums + 1,"),
    ("filter_without_its_last_tap", "snn_clip_kernels.cu", "snn_clip_kernels.cu",
     "t < f.taps; t += SNN_SUM_THREADS) {\n        double",
     "t + 1 < f.taps; t += SNN_SUM_THREADS) {\n        double"),
    ("mean_without_its_last_pixel", "snn_centre_kernels.cu", "snn_centre_kernels.cu", "i < c.plane;", "i + 1 < c.plane;"),
    ("bias_that_stays", "snn_centre_kernels.cu", "snn_centre_kernels.cu", "biases[i] -= (float)", "biases[i] -= 0 * (float)"),
    ("sum_without_barrier", "snn_block_sum.h", "snn_centre_kernels.cu",
     "sums[threadIdx.x] = value;\n    __syncthreads();", "sums[threadIdx.x] = value;"),
    ("pixels_without_bound", "snn_loss_kernels.cu", "snn_loss_kernels.cu",
     "if (i >= pixels) return;", ""),
    ("pixels_of_the_first_image", "snn_loss_kernels.cu", "snn_loss_kernels.cu",
     "i / plane * (size_t)channels * plane + i % plane", "i"),
    ("gradients_beyond_the_first_round", "snn_finite_kernels.cu", "snn_finite_kernels.cu",
     "i += (size_t)gridDim.x * blockDim.x)", "i += count)"),
    ("gradients_of_scales_unread", "snn_finite_kernels.cu", "snn_finite_kernels.cu",
     "find(l->scale_updates_gpu", "find(NULL"),
]


def run(command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace")


def fails(program):
    """Whether the test has a failed check; it need not go on after the first."""
    with subprocess.Popen([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          errors="replace") as test:
        failed = any(line.startswith("FAIL") for line in test.stdout)
        test.kill()
    return failed


def is_caught(mutant, args, folder):
    """Returns None where the test fails for the mutant, otherwise why it does not."""
    _, file, kernels, text, broken = mutant
    for name in (file, kernels):
        shutil.copy(*glob.glob(os.path.join("layers", "*", name)), folder)
    path = os.path.join(folder, file)
    with open(path) as f:
        source = f.read()
    if text not in source:
        return f'layers/{file} has no "{text}"'
    with open(path, "w") as f:
        f.write(source.replace(text, broken, 1))
    compiled, program = os.path.join(folder, "mutant.o"), os.path.join(folder, "mutant")
    made = run([*args.compile, "-I" + folder, "-x", "c++", "-c", os.path.join(folder, kernels), "-o", compiled])
    if made.returncode:
        return made.stderr.splitlines()[0]
    others = [o for o in glob.glob(os.path.join(args.objects, "*.o")) if os.path.basename(o) != kernels + ".o"]
    made = run([*args.compile, args.test_object, compiled, *others, "-lstdc++", "-lm", "-lpthread", "-o", program])
    if made.returncode:
        return made.stderr.splitlines()[0]
    return None if fails(program) else "the test passes"


@harness.test
def each_mutant_is_caught(options):
    folder = harness.folder()
    options.test_object = os.path.join(folder, "test.o")
    subprocess.run([*options.compile, "-c", options.test, "-o", options.test_object], check=True)
    for mutant in MUTANTS:
        own = os.path.join(folder, mutant[0])
        os.mkdir(own)
        why = is_caught(mutant, options, own)
        harness.holds(mutant[0], why is None, why)


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("--compile", required=True, type=shlex.split)
    parser.add_argument("--objects", required=True)
    parser.add_argument("--test", required=True)
    options = parser.parse_args()
    harness.run(options.only, options)
