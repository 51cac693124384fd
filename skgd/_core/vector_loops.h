/* Loops over parameters: included by vector.h once for each instruction set (ISA). */

#define NAME(f) PASTE(f, vector, ISA)

/* g = scale * g + l2 * w */
static void NAME(combine)(double *restrict g, const double *restrict w, double scale, double l2,
                          ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j++) g[j] = scale * g[j] + l2 * w[j];
}

/* adds the sum of squares and the sum of absolute values of w */
static void NAME(norms)(const double *w, ptrdiff_t n, double *square, double *absolute) {
    double s = 0, a = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        s += w[j] * w[j];
        a += fabs(w[j]);
    }
    *square += s;
    *absolute += a;
}

/* soft threshold, then projection on [lower, upper]; steps, if given, is the step of each w_j */
static void NAME(prox)(double *restrict w, const double *restrict steps, double step, double l1,
                       double lower, double upper, ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j++) {
        double threshold = (steps ? steps[j] : step) * l1;
        double above = w[j] - threshold, below = w[j] + threshold;
        double x = above > 0 ? above : (below < 0 ? below : 0.0);
        x = x != x || w[j] != w[j] ? w[j] : x; /* a NaN must stay visible */
        x = x < lower ? lower : x;
        w[j] = x > upper ? upper : x;
    }
}

/* mean += share * (w - mean) */
static void NAME(average)(double *restrict mean, const double *restrict w, double share,
                          ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j++) mean[j] += share * (w[j] - mean[j]);
}

/* exp(x) for x <= 708, to 5e-15: x = k log 2 + r, |r| <= log(2) / 2, and a Taylor
 * polynomial in r; below -708 it is 0. Written so that the compiler vectorises loops over it. */
INLINE double NAME(exp_below)(double x) {
    double y = x < -708.0 ? -708.0 : x;
    double k = rint(y * 1.4426950408889634);
    double r = (y - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
    /* odd and even powers by themselves: two short chains of products instead of a long one */
    double q = r * r, even = 1.0 / 479001600, odd = 1.0 / 39916800;
    even = even * q + 1.0 / 3628800;
    odd = odd * q + 1.0 / 362880;
    even = even * q + 1.0 / 40320;
    odd = odd * q + 1.0 / 5040;
    even = even * q + 1.0 / 720;
    odd = odd * q + 1.0 / 120;
    even = even * q + 1.0 / 24;
    odd = odd * q + 1.0 / 6;
    even = even * q + 0.5;
    odd = odd * q + 1.0;
    even = even * q + 1.0;
    double p = odd * r + even;
    int64_t bits = (int64_t)((int32_t)k + 1023) << 52; /* the exponent of 2^k */
    double power;
    memcpy(&power, &bits, sizeof power);
    return x < -708.0 ? 0.0 : p * power;
}

/* loss[i] = log(1 + exp(-m)) at the margin m[i], and slope[i] its derivative in m */
static void NAME(logistic)(const double *restrict m, ptrdiff_t n, double *restrict slope,
                           double *restrict loss) {
    for (ptrdiff_t i = 0; i < n; i++) {
        double small = NAME(exp_below)(-fabs(m[i]));
        double inverse = 1.0 / ((1.0 + small) * (2.0 + small)); /* one division serves two */
        slope[i] = -inverse * (2.0 + small) * (m[i] > 0 ? small : 1.0);
        /* log(1 + s) = 2 atanh(s / (2 + s)), a series in t^2 <= 1/9 */
        double t = small * (1.0 + small) * inverse, u = t * t, sum = 1.0 / 33;
        sum = sum * u + 1.0 / 31;
        sum = sum * u + 1.0 / 29;
        sum = sum * u + 1.0 / 27;
        sum = sum * u + 1.0 / 25;
        sum = sum * u + 1.0 / 23;
        sum = sum * u + 1.0 / 21;
        sum = sum * u + 1.0 / 19;
        sum = sum * u + 1.0 / 17;
        sum = sum * u + 1.0 / 15;
        sum = sum * u + 1.0 / 13;
        sum = sum * u + 1.0 / 11;
        sum = sum * u + 1.0 / 9;
        sum = sum * u + 1.0 / 7;
        sum = sum * u + 1.0 / 5;
        sum = sum * u + 1.0 / 3;
        sum = sum * u + 1.0;
        loss[i] = 2.0 * t * sum + (m[i] > 0 ? 0.0 : -m[i]);
    }
}

/* P[i] = exp(z) / sum of exp(z) of the C scores of row i, the log of that sum being largest[i] +
 * above[i]: in two parts, so that a small loss keeps its digits. Both Z and P have `stride` numbers
 * a row. */
static void NAME(softmax)(const double *restrict Z, ptrdiff_t n, ptrdiff_t C, ptrdiff_t stride,
                          double *restrict P, double *restrict largest,
                          double *restrict above) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *z = Z + i * stride;
        double *p = P + i * stride, best = z[0];
        for (ptrdiff_t c = 1; c < C; c++) best = z[c] > best ? z[c] : best;
        for (ptrdiff_t c = 0; c < C; c++) p[c] = z[c] - best;
        largest[i] = best;
    }
    /* rows that lie side by side go in one run: alone, each may be shorter than a register */
    const ptrdiff_t run = C == stride ? n * C : C;
    for (ptrdiff_t done = 0; done < n * C; done += run) {
        double *p = P + done / C * stride;
        for (ptrdiff_t k = 0; k < run; k++) p[k] = NAME(exp_below)(p[k]);
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        double *p = P + i * stride, sum = 0;
        for (ptrdiff_t c = 0; c < C; c++) sum += p[c];
        above[i] = log(sum);
        const double share = 1.0 / sum;
        for (ptrdiff_t c = 0; c < C; c++) p[c] *= share;
    }
}

#include "rule_loops.h"
#include "lazy_loops.h"

#define TABLE_(isa) vector_##isa
#define TABLE(isa) TABLE_(isa)
UNUSED static const VectorLoops TABLE(ISA) = {
    NAME(combine), NAME(norms), NAME(prox), NAME(average), NAME(logistic), NAME(softmax),
    NAME(sgd), NAME(adam), NAME(adamw), NAME(adagrad), NAME(adadelta),
    NAME(rmsprop), NAME(nadam), NAME(radam), NAME(adamax), NAME(lion), NAME(ftrl),
    NAME(open), NAME(shut), NAME(bring),
};
#undef TABLE
#undef TABLE_
#undef NAME

#define T double
#include "dense_loops.h"
#include "statistic_loops.h"
#define I int32_t
#include "sparse_loops.h"
#undef I
#define I int64_t
#include "sparse_loops.h"
#undef I
#undef T
#define T float
#include "dense_loops.h"
#include "statistic_loops.h"
#define I int32_t
#include "sparse_loops.h"
#undef I
#define I int64_t
#include "sparse_loops.h"
#undef I
#undef T
