/* The test harness. A test file is
 *
 *     #include "test.h"
 *     TEST(selu_is_zero_at_zero) { CHECK_NEAR(snn_selu(0), 0, 0); }
 *     int main(void) { RUN(selu_is_zero_at_zero); return test_report(); }
 *
 * A failed check is printed and counted and does not end its test. The exit
 * status is the verdict. Never compile it with -ffast-math: NaN must compare
 * unequal.
 */
#ifndef TEST_H
#define TEST_H

#include <math.h>
#include <stdio.h>

#ifdef __FAST_MATH__
#error "expected -fno-fast-math"
#endif

static int tests_passed, tests_failed, tests_skipped;
static int checks_failed;               /* in the running test */
static const char *test_skip_reason;    /* NULL: the test runs */
static const char *test_skip_all;       /* not NULL: no test does, and why */

#define TEST(name) static void name(void)

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            ++checks_failed; \
            printf("FAIL %s:%d: %s\n", __FILE__, __LINE__, #condition); \
        } \
    } while (0)

/* |got - want| <= tolerance; false for NaN. */
#define CHECK_NEAR(got, want, tolerance) \
    test_near(__FILE__, __LINE__, #got, (double)(got), (double)(want), \
              (double)(tolerance))

/* Ends the test, which counts as skipped. */
#define SKIP(reason) \
    do { \
        test_skip_reason = (reason); \
        return; \
    } while (0)

#define RUN(name) test_run(#name, name)

static inline void test_near(const char *file, int line, const char *what,
                             double got, double want, double tolerance)
{
    if (fabs(got - want) <= tolerance) return;
    ++checks_failed;
    printf("FAIL %s:%d: %s: got %.17g, want %.17g, off by %.3g, allowed "
           "%.3g\n", file, line, what, got, want, fabs(got - want), tolerance);
}

static inline void test_run(const char *name, void (*test)(void))
{
    checks_failed = 0;
    test_skip_reason = test_skip_all;
    if (!test_skip_all) test();
    if (checks_failed) ++tests_failed;
    else if (test_skip_reason) ++tests_skipped;
    else ++tests_passed;
    if (checks_failed) printf("FAIL %s\n", name);
    else if (test_skip_reason) printf("SKIP %s: %s\n", name, test_skip_reason);
    else printf("ok %s\n", name);
    fflush(stdout);
}

static inline int test_report(void)
{
    printf("%d passed, %d failed, %d skipped\n", tests_passed, tests_failed,
           tests_skipped);
    return tests_failed != 0;
}

#endif
