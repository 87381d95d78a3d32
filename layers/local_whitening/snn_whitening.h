/* Whitening of one vector by its covariance, and the gradient, in double:
 *
 *     y = W x,   W = S^-1/2 (zca)   or   W = L^-1, S = L L' (cholesky),
 *     S = covariance + d
 *
 * for SNN_LANES vectors of k <= SNN_WHITENING_MOST channels at a time: every
 * array has the lane as its last axis, and lanes do not touch each other.
 *
 * Backward, g = dL/dy: h = W' g is the gradient for x, and `ds` that for the
 * covariance, symmetric, off-diagonal entries holding half of what the pair
 * S_ab = S_ba has together.
 *
 * zca: with S = U diag(r^-2) U', a = U' g, b = U' x (Daleckii and Krein; the
 * difference quotient of t^-1/2 simplified, so that equal eigenvalues are no
 * special case)
 *
 *     ds = U [ -(a_i b_j + a_j b_i) (r_i r_j)^2 / (2 (r_i + r_j)) ] U'
 *
 * cholesky: dL = -tril(h y'), and as L' h = g its lower triangle L' dL is that
 * of -g y'. With the diagonal halved, Phi (Murray 2016, arXiv:1602.07527),
 *
 *     ds = sym(L'^-1 Phi L^-1)
 */
#ifndef SNN_WHITENING_H
#define SNN_WHITENING_H

#include "snn_windows.h"

#ifndef SNN_WHITENING_MOST
#define SNN_WHITENING_MOST 16
#endif

#define SNN_ENTRY(i, j) ((k * (i) + (j)) * SNN_LANES)

/* Whether a_pq counts beside a_pp + d and a_qq + d. */
SNN_HD int snn_counts(double app, double aqq, double apq, double d)
{
    return apq * apq > 1e-23 * (fabs(app) + d) * (fabs(aqq) + d);
}

/* A Jacobi rotation: makes apq zero, and c and s what other rows and columns are
 * turned by. With o = 2 a_pq, e = a_qq - a_pp, r = sqrt(e^2 + o^2) and
 * v = |e| + r its tangent is sign(e) o / v, and as v^2 + o^2 = 2 r v
 *
 *     c = v / sqrt(2 r v),   s = sign(e) o / sqrt(2 r v),
 *
 * by which a_pp loses, and a_qq gains, sign(e) o^2 / (2 v) = s o r / sqrt(2 r v).
 * It is none where 2 r v is no normal number: nothing is left to turn. */
SNN_HD void snn_rotation(double *app, double *aqq, double *apq, double *c, double *s)
{
    double e = *aqq - *app, o = 2 * *apq;
    double r = sqrt(e * e + o * o), v = fabs(e) + r;
    double product = 2 * r * v, least = 1e-300;
    double length = 1 / sqrt(product > least ? product : least);
    double t = (e < 0 ? -o : o) * length, h = t * o * r * length;
    *c = product > least ? v * length : 1;
    *s = product > least ? t : 0;
    *app -= h;
    *aqq += h;
    *apq = 0;
}

SNN_HD void snn_rotate(double *p, double *q, double c, double s)
{
    double v = *p, w = *q;
    *p = c * v - s * w;
    *q = s * v + c * w;
}

/* Three sweeps of three channels, a and u [3][3] as below, a lane's numbers all in registers; the return
 * says whether a lane has more to turn. As that is an int for each lane, gcc takes
 * two vectors of doubles at a time: the roots of one wait beside those of the other. */
SNN_HD int snn_three_sweeps(const double *SNN_RESTRICT d, double *SNN_RESTRICT a,
                            double *SNN_RESTRICT u)
{
    enum { k = 3 };
    int counts[SNN_LANES], n, left = 0;
    SNN_EACH_LANE(n) {
        double a00 = a[SNN_ENTRY(0, 0) + n], a01 = a[SNN_ENTRY(0, 1) + n];
        double a02 = a[SNN_ENTRY(0, 2) + n], a11 = a[SNN_ENTRY(1, 1) + n];
        double a12 = a[SNN_ENTRY(1, 2) + n], a22 = a[SNN_ENTRY(2, 2) + n];
        double v[k][k] = { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } }, c, s;
        int i, j, sweep;
        SNN_UNROLL
        for (sweep = 0; sweep < 3; ++sweep) {
            snn_rotation(&a00, &a11, &a01, &c, &s);
            snn_rotate(&a02, &a12, c, s);
            for (i = 0; i < k; ++i) snn_rotate(&v[i][0], &v[i][1], c, s);
            snn_rotation(&a00, &a22, &a02, &c, &s);
            snn_rotate(&a01, &a12, c, s);
            for (i = 0; i < k; ++i) snn_rotate(&v[i][0], &v[i][2], c, s);
            snn_rotation(&a11, &a22, &a12, &c, &s);
            snn_rotate(&a01, &a02, c, s);
            for (i = 0; i < k; ++i) snn_rotate(&v[i][1], &v[i][2], c, s);
        }
        counts[n] = snn_counts(a00, a11, a01, d[n]) |
                    snn_counts(a00, a22, a02, d[n]) |
                    snn_counts(a11, a22, a12, d[n]);
        a[SNN_ENTRY(0, 0) + n] = a00;
        a[SNN_ENTRY(0, 1) + n] = a01;
        a[SNN_ENTRY(0, 2) + n] = a02;
        a[SNN_ENTRY(1, 1) + n] = a11;
        a[SNN_ENTRY(1, 2) + n] = a12;
        a[SNN_ENTRY(2, 2) + n] = a22;
        for (i = 0; i < k; ++i) {
            for (j = 0; j < k; ++j) u[SNN_ENTRY(i, j) + n] = v[i][j];
        }
    }
    for (n = 0; n < SNN_LANES; ++n) left |= counts[n];
    return left;
}

/* One sweep of k channels; returns the same. */
SNN_HD int snn_sweep(int k, const double *SNN_RESTRICT d, double *SNN_RESTRICT a,
                     double *SNN_RESTRICT u)
{
    int p, q, i, n, counts[SNN_LANES] = { 0 }, left = 0;
    for (p = 0; p < k - 1; ++p) {
        for (q = p + 1; q < k; ++q) {
            double c[SNN_LANES], s[SNN_LANES];
            SNN_EACH_LANE(n) {
                snn_rotation(a + SNN_ENTRY(p, p) + n, a + SNN_ENTRY(q, q) + n,
                             a + SNN_ENTRY(p, q) + n, c + n, s + n);
            }
            for (i = 0; i < k; ++i) {
                double *up = u + SNN_ENTRY(i, p), *uq = u + SNN_ENTRY(i, q);
                double *ap = a + (i < p ? SNN_ENTRY(i, p) : SNN_ENTRY(p, i));
                double *aq = a + (i < q ? SNN_ENTRY(i, q) : SNN_ENTRY(q, i));
                SNN_EACH_LANE(n) snn_rotate(up + n, uq + n, c[n], s[n]);
                if (i == p || i == q) continue;
                SNN_EACH_LANE(n) snn_rotate(ap + n, aq + n, c[n], s[n]);
            }
        }
    }
    for (p = 0; p < k - 1; ++p) {
        for (q = p + 1; q < k; ++q) {
            SNN_EACH_LANE(n) {
                counts[n] |= snn_counts(a[SNN_ENTRY(p, p) + n], a[SNN_ENTRY(q, q) + n],
                                        a[SNN_ENTRY(p, q) + n], d[n]);
            }
        }
    }
    for (n = 0; n < SNN_LANES; ++n) left |= counts[n];
    return left;
}

/* Cyclic Jacobi: the diagonal of a [k][k] becomes the eigenvalues, d being what will
 * be added to them, and u [k][k] the eigenvectors, by column. Above the diagonal
 * a is used up; below it is not read. Convergence is quadratic: two channels need
 * one sweep, three hardly ever more than three, none twelve. */
SNN_HD void snn_eigen(int k, const double *SNN_RESTRICT d, double *SNN_RESTRICT a,
                      double *SNN_RESTRICT u)
{
    int i, j, n, sweep = 0, left = k > 1;
    if (k == 3) {
        left = snn_three_sweeps(d, a, u);
        sweep = 3;
    } else {
        for (i = 0; i < k; ++i) {
            for (j = 0; j < k; ++j) {
                SNN_EACH_LANE(n) u[SNN_ENTRY(i, j) + n] = i == j;
            }
        }
    }
    for (; left && sweep < 12; ++sweep) left = snn_sweep(k, d, a, u);
}

/* What a matrix function needs: the caller's, as k is known there. */
typedef struct {
    double matrix[SNN_WHITENING_MOST * SNN_WHITENING_MOST * SNN_LANES];
    double second[SNN_WHITENING_MOST * SNN_WHITENING_MOST * SNN_LANES];
    double a[SNN_WHITENING_MOST * SNN_LANES];
    double b[SNN_WHITENING_MOST * SNN_LANES];
    double inverse[SNN_WHITENING_MOST * SNN_LANES];
} snn_whitening_room;

/* out = U' v */
SNN_HD void snn_turn(int k, const double *SNN_RESTRICT u, const double *SNN_RESTRICT v,
                     double *SNN_RESTRICT out)
{
    int i, j, n;
    for (i = 0; i < k; ++i) {
        double sum[SNN_LANES] = { 0 };
        for (j = 0; j < k; ++j) {
            SNN_EACH_LANE(n) {
                sum[n] += u[SNN_ENTRY(j, i) + n] * v[j * SNN_LANES + n];
            }
        }
        SNN_EACH_LANE(n) out[i * SNN_LANES + n] = sum[n];
    }
}

/* out = U diag(inverse) v */
SNN_HD void snn_turn_back(int k, const double *SNN_RESTRICT u,
                          const double *SNN_RESTRICT v,
                          const double *SNN_RESTRICT inverse,
                          double *SNN_RESTRICT out)
{
    int i, j, n;
    for (i = 0; i < k; ++i) {
        double sum[SNN_LANES] = { 0 };
        for (j = 0; j < k; ++j) {
            SNN_EACH_LANE(n) {
                sum[n] += u[SNN_ENTRY(i, j) + n] *
                          (v[j * SNN_LANES + n] * inverse[j * SNN_LANES + n]);
            }
        }
        SNN_EACH_LANE(n) out[i * SNN_LANES + n] = sum[n];
    }
}

/* room->second = U, room->inverse = r, room->b = U' x. A covariance has no
 * negative eigenvalues: those are rounding. */
SNN_HD void snn_zca_begin(int k, const double *cov, const double *d,
                          const double *x, snn_whitening_room *room)
{
    int i, n;
    for (i = 0; i < k * k * SNN_LANES; ++i) room->matrix[i] = cov[i];
    snn_eigen(k, d, room->matrix, room->second);
    for (i = 0; i < k; ++i) {
        SNN_EACH_LANE(n) {
            double l = room->matrix[SNN_ENTRY(i, i) + n];
            room->inverse[i * SNN_LANES + n] = 1 / sqrt((l > 0 ? l : 0) + d[n]);
        }
    }
    snn_turn(k, room->second, x, room->b);
}

/* cov [k][k], d > 0, x [k] read; y [k] written */
SNN_HD void snn_zca(int k, const double *cov, const double *d, const double *x,
                    double *y, snn_whitening_room *room)
{
    snn_zca_begin(k, cov, d, x, room);
    snn_turn_back(k, room->second, room->b, room->inverse, y);
}

/* The same and g [k] read; h [k], ds [k][k] written */
SNN_HD void snn_zca_gradient(int k, const double *cov, const double *d,
                             const double *x, const double *g, double *h,
                             double *ds, snn_whitening_room *room)
{
    int i, j, l, n;
    const double *u = room->second, *r = room->inverse;
    const double *a = room->a, *b = room->b;
    double *m = room->matrix;
    snn_zca_begin(k, cov, d, x, room);
    snn_turn(k, u, g, room->a);
    snn_turn_back(k, u, a, r, h);
    for (i = 0; i < k; ++i) {
        int p = i * SNN_LANES;
        SNN_EACH_LANE(n) {
            m[SNN_ENTRY(i, i) + n] = -.5 * a[p + n] * b[p + n] * r[p + n] * r[p + n] * r[p + n];
        }
        for (j = 0; j < i; ++j) {
            int q = j * SNN_LANES;
            SNN_EACH_LANE(n) {
                double both = r[p + n] * r[q + n];
                m[SNN_ENTRY(i, j) + n] = m[SNN_ENTRY(j, i) + n] =
                    -.5 * (a[p + n] * b[q + n] + a[q + n] * b[p + n]) * both * both /
                    (r[p + n] + r[q + n]);
            }
        }
    }
    /* ds = U m U', a row of U m at a time */
    for (i = 0; i < k; ++i) {
        double row[SNN_WHITENING_MOST * SNN_LANES];
        for (j = 0; j < k; ++j) {
            double sum[SNN_LANES] = { 0 };
            for (l = 0; l < k; ++l) {
                SNN_EACH_LANE(n) {
                    sum[n] += u[SNN_ENTRY(i, l) + n] * m[SNN_ENTRY(l, j) + n];
                }
            }
            SNN_EACH_LANE(n) row[j * SNN_LANES + n] = sum[n];
        }
        for (j = 0; j <= i; ++j) {
            double sum[SNN_LANES] = { 0 };
            for (l = 0; l < k; ++l) {
                SNN_EACH_LANE(n) {
                    sum[n] += row[l * SNN_LANES + n] * u[SNN_ENTRY(j, l) + n];
                }
            }
            SNN_EACH_LANE(n) {
                ds[SNN_ENTRY(i, j) + n] = ds[SNN_ENTRY(j, i) + n] = sum[n];
            }
        }
    }
}

/* room->matrix = L, with 1 / L_ii on its diagonal; y = L^-1 x. No pivot is
 * below d but by rounding. */
SNN_HD void snn_cholesky(int k, const double *cov, const double *d,
                         const double *x, double *y, snn_whitening_room *room)
{
    int i, j, m, n;
    double *l = room->matrix;
    for (i = 0; i < k; ++i) {
        double solved[SNN_LANES];
        SNN_EACH_LANE(n) solved[n] = x[i * SNN_LANES + n];
        for (j = 0; j <= i; ++j) {
            double sum[SNN_LANES];
            SNN_EACH_LANE(n) sum[n] = cov[SNN_ENTRY(i, j) + n];
            for (m = 0; m < j; ++m) {
                SNN_EACH_LANE(n) {
                    sum[n] -= l[SNN_ENTRY(i, m) + n] * l[SNN_ENTRY(j, m) + n];
                }
            }
            SNN_EACH_LANE(n) {
                double pivot = (sum[n] > 0 ? sum[n] : 0) + d[n];
                l[SNN_ENTRY(i, j) + n] = i == j ? 1 / sqrt(pivot)
                    : sum[n] * l[SNN_ENTRY(j, j) + n];
            }
            if (j == i) break;
            SNN_EACH_LANE(n) {
                solved[n] -= l[SNN_ENTRY(i, j) + n] * y[j * SNN_LANES + n];
            }
        }
        SNN_EACH_LANE(n) {
            y[i * SNN_LANES + n] = solved[n] * l[SNN_ENTRY(i, i) + n];
        }
    }
}

/* v becomes L'^-1 v; `stride` lanes apart. */
SNN_HD void snn_solve_transposed(int k, const double *l, double *v, int stride)
{
    int i, j, n;
    for (i = k - 1; i >= 0; --i) {
        double sum[SNN_LANES];
        SNN_EACH_LANE(n) sum[n] = v[i * stride * SNN_LANES + n];
        for (j = i + 1; j < k; ++j) {
            SNN_EACH_LANE(n) {
                sum[n] -= l[SNN_ENTRY(j, i) + n] * v[j * stride * SNN_LANES + n];
            }
        }
        SNN_EACH_LANE(n) {
            v[i * stride * SNN_LANES + n] = sum[n] * l[SNN_ENTRY(i, i) + n];
        }
    }
}

SNN_HD void snn_cholesky_gradient(int k, const double *cov, const double *d,
                                  const double *x, const double *g, double *h,
                                  double *ds, snn_whitening_room *room)
{
    int i, j, n;
    double *m = room->second, *y = room->b;
    const double *l = room->matrix;
    snn_cholesky(k, cov, d, x, y, room);
    for (i = 0; i < k * SNN_LANES; ++i) h[i] = g[i];
    snn_solve_transposed(k, l, h, 1);
    for (i = 0; i < k; ++i) {
        for (j = 0; j < k; ++j) {
            double part = j < i ? -1 : j == i ? -.5 : 0;
            SNN_EACH_LANE(n) {
                m[SNN_ENTRY(i, j) + n] =
                    part * g[i * SNN_LANES + n] * y[j * SNN_LANES + n];
            }
        }
    }
    /* Columns, then rows: (L'^-1 Phi) L^-1 is (L'^-1 (L'^-1 Phi)')'. */
    for (j = 0; j < k; ++j) snn_solve_transposed(k, l, m + j * SNN_LANES, k);
    for (i = 0; i < k; ++i) snn_solve_transposed(k, l, m + SNN_ENTRY(i, 0), 1);
    for (i = 0; i < k; ++i) {
        for (j = 0; j < k; ++j) {
            SNN_EACH_LANE(n) {
                ds[SNN_ENTRY(i, j) + n] =
                    .5 * (m[SNN_ENTRY(i, j) + n] + m[SNN_ENTRY(j, i) + n]);
            }
        }
    }
}

#endif
