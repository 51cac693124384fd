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

/* exp(x) for x <= 0, to 5e-15: x = k log 2 + r, |r| <= log(2) / 2, and a Taylor
 * polynomial in r; below -708 it is 0. Written so that the compiler vectorises loops over it. */
INLINE double NAME(exp_negative)(double x) {
    double y = x < -708.0 ? -708.0 : x;
    double k = rint(y * 1.4426950408889634);
    double r = (y - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
    double p = 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    int64_t bits = (int64_t)((int32_t)k + 1023) << 52; /* the exponent of 2^k */
    double power;
    memcpy(&power, &bits, sizeof power);
    return x < -708.0 ? 0.0 : p * power;
}

/* slope[i] = d/dm log(1 + exp(-m)) at the margin m[i]; returns the sum of w[i] times the loss;
 * w may be NULL */
static double NAME(logistic)(const double *restrict m, const double *restrict w, ptrdiff_t n,
                             double *restrict slope) {
    double total = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        double small = NAME(exp_negative)(-fabs(m[i])), share = 1.0 / (1.0 + small);
        slope[i] = -share * (m[i] > 0 ? small : 1.0);
        /* log(1 + s) = 2 atanh(s / (2 + s)), a series in t^2 <= 1/9 */
        double t = small / (2.0 + small), u = t * t, sum = 1.0 / 33;
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
        double loss = 2.0 * t * sum + (m[i] > 0 ? 0.0 : -m[i]);
        total += w ? w[i] * loss : loss;
    }
    return total;
}

#include "rule_loops.h"
#include "lazy_loops.h"

#define TABLE_(isa) vector_##isa
#define TABLE(isa) TABLE_(isa)
UNUSED static const VectorLoops TABLE(ISA) = {
    NAME(combine), NAME(norms), NAME(prox), NAME(average), NAME(logistic), NAME(sgd),
    NAME(adam), NAME(adamw), NAME(adagrad), NAME(adadelta), NAME(rmsprop), NAME(nadam), NAME(radam),
    NAME(adamax), NAME(lion), NAME(ftrl), NAME(open), NAME(shut), NAME(bring),
};
#undef TABLE
#undef TABLE_
#undef NAME

#define T double
#include "dense_loops.h"
#define I int32_t
#include "sparse_loops.h"
#undef I
#define I int64_t
#include "sparse_loops.h"
#undef I
#undef T
#define T float
#include "dense_loops.h"
#define I int32_t
#include "sparse_loops.h"
#undef I
#define I int64_t
#include "sparse_loops.h"
#undef I
#undef T
