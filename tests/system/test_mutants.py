#!/usr/bin/env python3
"""Code broken on purpose: each mistake must make a test fail.

    tests/system/test_mutants.py --kernels build/tests/kernels --compile "gcc FLAGS" --test tests/gpu/test_kernels.c
    tests/system/test_mutants.py --cpu build/tree --make "OPTION=.." --compile "gcc FLAGS" --libraries "-l.."

A mutant is a copy of one file of layers/ with one text replaced. What includes it is compiled again, and linked to
the other objects: the kernels' of that folder, or those of the patched tree, whose make says how it compiles a file.
"""
import argparse
import glob
import os
import re
import shlex
import shutil
import subprocess

import harness

WHITENING = "snn_standardize_kernels.cu"

# name, file that is broken, kernels to compile again, text, what it becomes
KERNELS = [
    ("values_off_by_one", "snn_each_value.h", "selu_kernels.cu", "v.v[n] = x[i + (size_t)n]", "v.v[n] = x[i + (size_t)n + 1]"),
    ("values_without_bound", "snn_each_value.h", "selu_kernels.cu", "if (i + (size_t)n < count) x[i", "x[i"),
    ("alignment_taken_for_granted", "snn_each_value.h", "selu_kernels.cu",
     "if (aligned && i + 4 <= count) {", "if (i < count) {"),
    ("second_load_is_the_first", "snn_each_value.h", "selu_kernels.cu", "(size_t)k * SNN_EACH_STEP", "0"),
    ("bias_of_the_next_filter", "snn_each_value.h", "selu_kernels.cu", "if (--u->left) return;", "if (u->left--) return;"),
    ("selu_gradient_overwrites", "selu_kernels.cu", "selu_kernels.cu", "return out + g * snn", "return g * snn"),
    ("mask_of_the_next_word", "alpha_dropout_kernels.cu", "alpha_dropout_kernels.cu",
     "words[threadIdx.x] = draw(j, word);", "words[threadIdx.x] = draw(j, word + 1);"),
    ("mask_read_too_early", "alpha_dropout_kernels.cu", "alpha_dropout_kernels.cu",
     "    __syncthreads();\n", ""),
    ("bits_of_the_first_value", "alpha_dropout_kernels.cu", "alpha_dropout_kernels.cu", "bits >>= 1;", ""),
    ("channels_end_one_late", "snn_each_value.h", "alpha_dropout_kernels.cu", "if (--u->left) return;", "if (u->left--) return;"),
    ("column_leaves_one_row_late", "snn_slide.h", WHITENING, "row + r - j.ry - 1;", "row + r - j.ry - 2;"),
    ("row_enters_beyond_the_image", "snn_slide.h", WHITENING, "in < j.h ? in", "in <= j.h ? in"),
    ("share_of_a_row_more", "snn_slide.h", WHITENING, "s.rows[rows.right - rows.left]", "s.rows[rows.right - rows.left - 1]"),
    ("image_that_all_others_are_like", "snn_standardize_kernels.cu", WHITENING,
     "if (next_is_apart()) take(snn_image(first, unit.unit));", "next_is_apart();"),
    ("values_behind_the_last_image", "snn_standardize_kernels.cu", WHITENING, "if (is_there() && within()", "if (within()"),
    ("noise_of_the_first_channel", "snn_noise_units.h", "selu_kernels.cu", "if (unit.left == unit.size) draw();", ""),
    ("noise_on_what_is_not_above_0", "snn_noise.h", "selu_kernels.cu", "return y > 0 ? factor : 1;", "return factor;"),
    ("totals_miss_the_last_column", "snn_slide.h", WHITENING, "each < w ? begin + each : w",
     "each < w ? begin + each : w - 1"),
    ("totals_without_barrier", "snn_slide.h", WHITENING,
     "        sums[scan][lane] = sum;\n    }\n    __syncthreads();",
     "        sums[scan][lane] = sum;\n    }"),
    ("sums_of_half_the_threads", "snn_image_sums.h", WHITENING, "for (half = SNN_SUM_THREADS / 2;", "for (half = SNN_SUM_THREADS / 4;"),
    ("matrix_of_the_next_pixel", "snn_matrix_pixels.h", "snn_small_kernels.cu",
     "snn_whiten_tile(&p.j, p.sums,", "snn_whiten_tile(&p.j, p.sums + 1,"),
    ("filter_without_its_last_tap", "snn_step_kernels.cu", "snn_step_kernels.cu",
     "if (t < taps) gain += write_tap", "if (t + 1 < taps) gain += write_tap"),
    ("taps_beyond_the_registers_unread", "snn_step_kernels.cu", "snn_step_kernels.cu",
     "double a = p.weights[place_of(p, t)], b =", "double a = 0, b ="),
    ("small_filters_as_one", "snn_step_kernels.cu", "snn_step_kernels.cu",
     "snn_group_sum(updates, (int)threads)", "snn_block_sum(updates)"),
    ("step_in_spite_of_a_nan", "snn_step_kernels.cu", "snn_step_kernels.cu", "if (!*found) {", "{"),
    ("layer_after_the_block_s", "snn_kernels.h", "snn_finite_kernels.cu", "first_block <= blockIdx.x", "first_block < blockIdx.x"),
    ("bias_of_weights_that_stay", "snn_step_kernels.cu", "snn_step_kernels.cu", "if (p.mean) bias -= (float)gain;", ""),
    ("scales_that_stay", "snn_step_kernels.cu", "snn_step_kernels.cu", "if (row.filters.scales && row.is_step)", "if (0)"),
    ("mean_without_its_last_pixel", "snn_centre_kernels.cu", "snn_centre_kernels.cu", "if (at < end) v", "if (at + 1 < end) v"),
    ("mean_of_the_first_blocks", "snn_centre_kernels.cu", "snn_centre_kernels.cu", "k < splits; k +=", "k + 1 < splits; k +="),
    ("blocks_counted_once_for_all", "snn_block_sum.h", "snn_centre_kernels.cu", "if (is_last) *count = 0;", ""),
    ("bias_that_stays", "snn_centre_kernels.cu", "snn_centre_kernels.cu", "biases[i] -= (float)", "biases[i] -= 0 * (float)"),
    ("sum_without_barrier", "snn_block_sum.h", "snn_centre_kernels.cu",
     "sums[i] = value;\n    __syncthreads();", "sums[i] = value;"),
    ("pixels_without_bound", "snn_loss_kernels.cu", "snn_loss_kernels.cu",
     "if (i < pixels) snn_softmax_at", "snn_softmax_at"),
    ("pixels_of_the_first_image", "snn_loss_kernels.cu", "snn_loss_kernels.cu",
     "i / plane * (size_t)channels * plane + i % plane", "i"),
    ("loss_of_the_last_block", "snn_loss_kernels.cu", "snn_loss_kernels.cu", "k < gridDim.x; k +=", "k < 1; k +="),
    ("gradients_of_the_first_block", "snn_finite_kernels.cu", "snn_finite_kernels.cu",
     "(size_t)(blockIdx.x - a.first_block) * EACH", "0"),
    ("last_gradients_unread", "snn_finite_kernels.cu", "snn_finite_kernels.cu",
     "if (i + (size_t)n < a.count) bad", "if (i + 4 <= a.count) bad"),
    ("gradients_of_scales_unread", "snn_finite_kernels.cu", "snn_finite_kernels.cu",
     "blocks, f.scale_updates", "blocks, NULL"),
    ("upsample_gathers_a_row_less", "snn_upsample_kernels.cu", "snn_upsample_kernels.cu", "r < stride;", "r + 1 < stride;"),
    ("upsample_gradient_overwrites_on_the_gpu", "snn_upsample_kernels.cu", "snn_upsample_kernels.cu", "sum = x[i];", "sum = 0;"),
    ("half_precision_overwrites", "snn_half_kernels.cu", "snn_half_kernels.cu", "to[i] +=", "to[i] ="),
]

# The CPU's loops, which users run: the same, with the unit test that must fail.
CPU = [
    ("pool_misses_the_last_column", "snn_pool.c", "snn_pool.c",
     "if (s.end > limit) s.end = limit;", "if (s.end > limit - 1) s.end = limit - 1;", "fast"),
    ("pool_gradient_overwrites", "snn_pool.c", "snn_pool.c",
     "- j->before] += j->dy[i]", "- j->before] = j->dy[i]", "fast"),
    ("pool_gradient_of_a_block_goes_elsewhere", "snn_pool.c", "snn_pool.c",
     "index[n] == place + first + n, d[n], 0", "index[n] == place + first, d[n], 0", "fast"),
    ("route_writes_over_its_first_part", "snn_joins.c", "snn_joins.c", "offset += r.count;", "offset = r.count;", "fast"),
    ("route_gradient_overwrites", "snn_joins.c", "snn_joins.c",
     "r->to + begin * r->to_stride, 1, r->from", "r->to + begin * r->to_stride, 0, r->from", "fast"),
    ("shortcut_gradient_without_its_factor", "snn_joins.c", "snn_joins.c", "1, d, j->beta, n)", "1, d, 1, n)", "fast"),
    ("plan_of_a_resized_net_is_none_of_training", "snn_planner.c", "snn_planner.c", "trains |= r->trains;", "(void)r->trains;", "fast"),
    ("pool_run_where_threads_share_an_image", "snn_planner.c", "snn_planner.c",
     "if (net->batch < snn_threads()) return;", "", "fast"),
    ("buffer_neither_cleared_nor_written_over", "snn_planner.c", "snn_planner.c",
     "->overwrites = plan_of(net, i - 1)->overwritten;", "->overwrites = 0;", "fast"),
    ("late_gradient_never_added", "snn_plan.c", "snn_plan.c", "if (!p->late_gradient) return;", "return;", "fast"),
    ("buffer_cleared_for_nothing", "snn_fast.c", "snn_fast.c",
     "if (!goes_back || (r && (r->plan[1].overwritten || r->plan[1].is_lent))) return 1;", "if (!goes_back) return 1;", "fast"),
    ("buffer_cleared_in_an_inference", "snn_fast.c", "snn_fast.c", "if (!goes_back || (r", "if ((r", "fast"),
    ("inference_folds_what_is_gone_back_from", "snn_conv.c", "snn_conv.c", "j.p->folds && !s.delta", "j.p->folds", "fast"),
    ("filters_kept_with_older_statistics", "snn_conv.c", "snn_conv.c", " && !r->are_other_factors) continue", ") continue", "fast"),
    ("lent_buffer_keeps_what_was_there", "snn_gradients.c", "snn_gradients.c", "p->first_writer == s.index &&", "0 &&", "fast"),
    ("lent_buffer_cleared_by_each_writer", "snn_gradients.c", "snn_gradients.c", "p->first_writer == s.index &&", "1 &&", "fast"),
    ("loans_meet_in_one_place", "snn_gradients.c", "snn_gradients.c", "b->from >= a->to;", "b->from > a->to;", "fast"),
    ("pool_s_gradient_ends_before_the_convolution_s_pass", "snn_planner.c", "snn_planner.c",
     "i && (plan_of(net, i)->is_run || is_late(net, i)) ? i - 1 : i", "i", "fast"),
    ("output_handed_over_that_another_layer_reads", "snn_planner.c", "snn_planner.c",
     "->overwritten && is_read_once(net, i) &&", "->overwritten &&", "fast"),
    ("filters_kept_of_other_weights", "snn_kept.c", "snn_kept.c", "k->made_of[piece] == sum;", "k->made_of[piece] != 0;", "fast"),
    ("signs_that_change_cancel_out", "snn_kept.c", "snn_kept.c", "lanes[k] ^= lanes[k] >> 29;", "", "fast"),
    ("what_was_kept_last_makes_room", "snn_kept.c", "snn_kept.c",
     "if (!(*at)->users) oldest", "if (!(*at)->users && !oldest) oldest", "fast"),
    ("filters_kept_for_two", "snn_kept.c", "snn_kept.c", "if (k && k->users) return NULL;", "", "fast"),
    ("more_is_kept_than_there_is_room_for", "snn_planner.c", "snn_planner.c", "bytes > 0 && bytes <= left;", "bytes > 0;", "fast"),
    ("upsample_gradient_misses_a_column", "snn_joins.c", "snn_joins.c",
     "for (k = 1; k < stride; ++k) sum +=", "for (k = 1; k + 1 < stride; ++k) sum +=", "fast"),
    ("upsample_misses_a_row", "snn_joins.c", "snn_joins.c",
     "for (k = 1; k < l->stride; ++k) memcpy", "for (k = 2; k < l->stride; ++k) memcpy", "fast"),
    ("weights_do_not_decay", "snn_update.h", "snn_update.c", "*u - r.decay * x", "*u", "fast"),
    ("momentum_stays", "snn_update.h", "snn_update.c", "*u = r.momentum * v;", "*u = v;", "fast"),
    ("biases_decay", "snn_update.c", "snn_update.c", "    r.decay = 0;\n", "", "fast"),
    ("variance_of_all_in_place_of_all_but_one", "snn_batchnorm.c", "snn_batchnorm.c", "1. / (count_of(l) - 1)", "1. / count_of(l)", "fast"),
    ("rolling_mean_runs_away", "snn_batchnorm.c", "snn_batchnorm.c",
     "(l->mean[c] - l->rolling_mean[c])", "(l->mean[c] + l->rolling_mean[c])", "fast"),
    ("batchnorm_gradient_without_the_mean_s", "snn_batchnorm.c", "snn_batchnorm.c",
     "(float)(l->mean_delta[channel + k] / count_of(l))", "0", "fast"),
    ("block_normalized_as_its_first_channel", "snn_batchnorm.c", "snn_batchnorm.c", "channels[k % block]", "channels[0]", "fast"),
    ("last_values_not_normalized", "snn_batchnorm.c", "snn_batchnorm.c",
     "i < n; ++i, ++k) y[i]", "i + 1 < n; ++i, ++k) y[i]", "fast"),
    ("last_gradients_not_normalized", "snn_batchnorm.c", "snn_batchnorm.c",
     "i < n; ++i, ++k) delta[i]", "i + 1 < n; ++i, ++k) delta[i]", "fast"),
    ("statistics_of_the_first_image", "snn_batchnorm.c", "snn_batchnorm.c",
     "b < (size_t)p->j->l->batch; ++b) sum", "b < 1; ++b) sum", "fast"),
    ("slice_normalized_as_the_first_one", "snn_conv.c", "snn_conv.c", "images, k * channels, channels", "images, 0, channels", "fast"),
    ("sums_of_a_slice_in_place_of_the_first_one_s", "snn_conv.c", "snn_conv.c", "* filters + k * count", "* filters", "fast"),
    ("sums_of_a_block_s_first_channel", "snn_sums.c", "snn_sums.c", "s->lanes[k * block + m]", "s->lanes[k * block]", "fast"),
    ("squares_off_another_channel_s_mean", "snn_sums.c", "snn_sums.c",
     "float off = x[row + k] - mean[k];\n                s.lanes", "float off = x[row + k] - mean[0];\n                s.lanes", "fast"),
    ("squares_of_the_last_rows_off_another_s_mean", "snn_sums.c", "snn_sums.c",
     "float off = x[k] - mean[k];\n            s.rest", "float off = x[k] - mean[0];\n            s.rest", "fast"),
    ("gradients_along_another_channel_s_deviation", "snn_sums.c", "snn_sums.c",
     "d[row + k] * (off * inverse[k])", "d[row + k] * (off * inverse[0])", "fast"),
    ("gradients_of_the_last_rows_unsummed", "snn_sums.c", "snn_sums.c",
     "for (; i < n; ++i, d += block, x += block)", "for (; i + 1 < n; ++i, d += block, x += block)", "fast"),
    ("clipping_misses_the_last_tap", "snn_clip.c", "snn_clip.c",
     "for (k = 0; k < n; ++k) u[k] = snn_clipped", "for (k = 0; k + 1 < n; ++k) u[k] = snn_clipped", "init"),
    ("biases_are_not_clipped", "snn_clip.c", "snn_clip.c", "snn_clip_scale(fabs(*u), limit)", "1", "init"),
    ("mean_of_the_first_image", "snn_centre.c", "snn_centre.c", "for (b = 0; b < batch; ++b)", "for (b = 0; b < 1; ++b)", "centre"),
    ("bias_that_stays", "snn_centre.c", "snn_centre.c", "f->biases[i] -= (float)(gain", "f->biases[i] -= 0 * (float)(gain", "centre"),
    ("gradient_keeps_what_the_bias_has_learnt", "snn_centre.c", "snn_centre.c",
     "x[t] -= part * means[t]", "x[t] -= 0 * means[t]", "centre"),
    ("last_value_unread", "snn_summary.c", "snn_summary.c",
     "for (i = 0; i < n; ++i) {\n        int32_t", "for (i = 0; i + 1 < n; ++i) {\n        int32_t", "math"),
    ("loss_is_a_sum", "snn_loss.c", "snn_loss.c", "/ (double)pixels", "/ 1", "segmentation"),
    ("filters_keep_their_mean", "snn_init.c", "snn_init.c", "(float)((*w - mean) * scale)", "(float)(*w * scale)", "init"),
    ("squares_off_centre", "snn_standardize.c", "snn_standardize.c",
     "difference * (a + b - twice)", "difference * (a + b)", "layers"),
    ("inverse_of_an_older_row", "snn_standardize.c", "snn_standardize.c",
     "memcpy(inverse, inverse - w, w * sizeof *inverse)", "(void)w", "layers"),
    ("gain_without_its_scale", "snn_standardize.c", "snn_standardize.c", "y[i] *= scale", "y[i] *= 1", "layers"),
    ("whitening_gradient_without_the_image_s_variance", "snn_standardize.c", "snn_standardize.c",
     "c += r * (v * v)", "c += 0 * (v * v)", "layers"),
    ("products_that_leave_twice", "snn_whiten.c", "snn_whiten.c",
     "e.leave * ((out_a[x]", "2 * e.leave * ((out_a[x]", "layers"),
    ("means_off_centre", "snn_whiten.c", "snn_whiten.c", "e.leave * (out[x] - centre)", "e.leave * out[x]", "layers"),
    ("dropout_gradient_overwrites", "alpha_dropout_layer.c", "alpha_dropout_layer.c",
     "out[i] += snn_select", "out[i] = snn_select", "layers"),
    ("dropout_forgets_the_last_word", "alpha_dropout_layer.c", "alpha_dropout_layer.c",
     "(int)(j->count % 32), j->affine)", "0, j->affine)", "layers"),
    ("selu_gradient_overwrites", "selu_layer.c", "selu_layer.c",
     "out[i] += g[i] * snn_selu_gradient", "out[i] = g[i] * snn_selu_gradient", "layers"),
]

# Winograd's tiles, whose header is compiled once for each width of vectors: name, text, what it becomes.
TILES = [
    ("tile_reads_a_column_more", "column < (ptrdiff_t)x->w", "column <= (ptrdiff_t)x->w"),
    ("tile_reads_a_row_more", "row < (ptrdiff_t)x->h", "row <= (ptrdiff_t)x->h"),
    ("tile_writes_a_row_less", "rows = (ptrdiff_t)y->h - p.row,", "rows = (ptrdiff_t)y->h - p.row - 1,"),
    ("tile_without_its_bias", "square[i] += b", "square[i] += 0 * b"),
    ("gradient_of_a_tile_overwrites", "adds ? load(to) + value", "adds ? value"),
    ("filters_that_are_not_turned", "turned ? TAPS - 1 - k : k", "k"),
    ("filters_learn_from_the_last_tiles_alone", "adds ? load(tap) + column[i]", "adds ? column[i]"),
    ("filters_learn_in_the_order_of_their_slice", "2 * (size_t)s->c", "(size_t)(s->c + s->n)"),
    ("bias_learns_from_the_last_tile_alone", "store(load(dbias + block * LANES) + sum,", "store(sum,"),
    ("last_panel_read_as_a_whole_one", "if (width == PANEL)", "if (width)"),
]
# The file that includes it, oneDNN's name for the processor that it is for, and what this one must have for that.
WIDTHS = [("snn_winograd_avx2.c", "AVX2", "avx2"), ("snn_winograd_avx512.c", "AVX512_CORE", "avx512vl")]
ISA = {file: isa for file, isa, _ in WIDTHS}
NEEDS = {file: flag for file, _, flag in WIDTHS}
CPU += [(f"{name}_{isa.lower()}", "snn_winograd_lanes.h", file, text, broken, "fast")
        for file, isa, _ in WIDTHS for name, text, broken in TILES]

# Convolutions of bfloat16, on a processor with AMX.
MATRICES = [
    ("plane_reads_a_row_more", "row >= (ptrdiff_t)x->h) from", "row > (ptrdiff_t)x->h) from"),
    ("outputs_of_some_inputs", "i < inputs; i += depth, at", "i < inputs; i += 2 * depth, at"),
    ("outputs_without_their_bias", "more = *(const lane_values *)bias", "more = 0 * *(const lane_values *)bias"),
    ("gradient_of_an_input_overwrites", "if (to->adds)", "if (to->adds > 1)"),
    ("filters_of_another_phase", "if (phase < wanted)", "if (phase <= wanted)"),
    ("a_last_tap_learns_nothing", "if (k == t->count)", "if (k <= t->count)"),
    ("bias_learns_from_every_other_column", " + *(const lane_values *)other", ""),
]
NEEDS["snn_bf16_amx.c"] = "amx_tile"
CPU += [(f"{name}_amx", "snn_bf16_loops.h", "snn_bf16_amx.c", text, broken, "bf16") for name, text, broken in MATRICES]
CPU.append(("channels_in_another_order_amx", "snn_bf16_amx.c", "snn_bf16_amx.c", "to + 4 * step", "to + 5 * step", "bf16"))


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **options)


def fails(program, isa):
    """Whether the test has a failed check, and need not go on, or dies."""
    with subprocess.Popen([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
                          cwd=harness.ROOT, env=dict(os.environ, ONEDNN_MAX_CPU_ISA=isa)) as test:
        failed = any(line.startswith("FAIL") for line in test.stdout)
        died = not failed and test.wait() < 0
        test.kill()
    return failed or died


def broken_copy(folder, file, compiled, text, broken):
    """Writes the mutant, and what is to be compiled, into the folder; all headers beside them, as they ask for each other."""
    for path in glob.glob(os.path.join(harness.ROOT, "layers", "*", "*.h")):
        shutil.copy(path, folder)
    for name in {file, compiled}:
        shutil.copy(*glob.glob(os.path.join(harness.ROOT, "layers", "*", name)), folder)
    path = os.path.join(folder, file)
    with open(path) as f:
        source = f.read()
    assert text in source, f'{file} has no "{text}"'
    with open(path, "w") as f:
        f.write(source.replace(text, broken, 1))


def has(flag):
    """Whether the processor has that; None: any has it."""
    with open("/proc/cpuinfo") as f:
        return flag is None or re.search(rf"^flags\b.*\b{flag}\b", f.read(), re.M) is not None


def succeed(done):
    assert not done.returncode, done.stderr.strip().splitlines()[0]


def is_caught(row, folder, compile_copy, link):
    """One case: compile_copy(source, object), link(object, program)."""
    name, file, compiled, text, broken = row[:5]
    if not has(NEEDS.get(compiled)):
        raise harness.Skip(f"a processor without {NEEDS[compiled]}")
    folder = os.path.join(folder, name)
    os.mkdir(folder)
    mutant, program = os.path.join(folder, "mutant.o"), os.path.join(folder, "mutant")
    broken_copy(folder, file, compiled, text, broken)
    succeed(compile_copy(os.path.join(folder, compiled), mutant))
    succeed(link(mutant, program))
    assert fails(program, ISA.get(compiled, "ALL")), "the test passes"


def each_broken_kernel_is_caught(options):
    folder = harness.folder()
    test = os.path.join(folder, "test.o")
    succeed(run(*options.compile, "-c", options.test, "-o", test))

    def compile_copy(source, to):
        return run(*options.compile, "-I" + os.path.dirname(source), "-x", "c++", "-c", source, "-o", to)

    for row in (row for row in KERNELS if options.only in row[0]):
        others = [o for o in glob.glob(os.path.join(options.kernels, "*.o")) if os.path.basename(o) != row[2] + ".o"]
        harness.attempt(row[0], is_caught, row, folder, compile_copy,
                        lambda mutant, program: run(*options.compile, test, mutant, *others, "-lstdc++", "-lm", "-lpthread",
                                                    "-o", program))


def each_broken_loop_is_caught(options):
    folder, tests = harness.folder(), {}
    tree = os.path.abspath(options.cpu)

    def test_of(name):
        if name not in tests:
            tests[name] = os.path.join(folder, name + ".o")
            succeed(run(*options.compile, "-O0", "-c", f"tests/unit/test_{name}.c", "-o", tests[name], cwd=harness.ROOT))
        return tests[name]

    def compile_copy(source, to):
        """As the host compiles it, which -n says: the flags of its own make, and ours."""
        name = os.path.basename(source)[:-len(".c")]
        said = run("make", "-n", "-W", f"src/{name}.c", f"obj/{name}.o", *options.make, cwd=tree,
                   env=harness.without_make()).stdout
        command = next(line for line in said.splitlines() if f"-o obj/{name}.o" in line)
        command = re.sub(r"-c \S+ -o \S+", f"-I{os.path.dirname(source)} -c {source} -o {to}", command)
        return run("bash", "-c", command, cwd=tree)

    for row in (row for row in CPU if options.only in row[0]):
        harness.attempt(row[0], is_caught, row, folder, compile_copy,
                        lambda mutant, program: run(*options.compile, test_of(row[5]), mutant, os.path.join(tree, "libdarknet.a"),
                                                    *options.libraries, "-o", program))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", metavar="FOLDER")
    parser.add_argument("--test", metavar="SOURCE")
    parser.add_argument("--cpu", metavar="TREE")
    parser.add_argument("--only", default="", metavar="WORD", help="the mutants that have WORD in their name")
    for name in ("compile", "make", "libraries"):
        parser.add_argument("--" + name, type=shlex.split, default=[])
    options = parser.parse_args()
    if options.kernels:
        harness.attempt("each_broken_kernel_is_caught", each_broken_kernel_is_caught, options)
    if options.cpu:
        harness.attempt("each_broken_loop_is_caught", each_broken_loop_is_caught, options)
    harness.finish()
