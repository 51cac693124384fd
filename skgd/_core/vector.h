/* Every loop that touches numbers in bulk, compiled once for each width of vector registers.
 *
 * Convention: parameters, scores and gradients are double; rows of X are float or double; a
 * table of function pointers is picked once, at import, by what the processor can do. The
 * loops themselves are plain C: vector_loops.h (parameters; rule_loops.h and lazy_loops.h are
 * parts of it), dense_loops.h and statistic_loops.h (dense rows) and sparse_loops.h (CSR rows) are
 * included here for each instruction set.
 */
#ifndef SKGD_VECTOR_H
#define SKGD_VECTOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define UNUSED __attribute__((unused))
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(p) __builtin_prefetch((const void *)(p))
#define PREFETCH_LATER(p) __builtin_prefetch((const void *)(p), 0, 2) /* not to the first cache */
#else
#define UNUSED
#define INLINE static __forceinline
#define PREFETCH(p) ((void)(p))
#define PREFETCH_LATER(p) ((void)(p))
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define WHOLE _Pragma("GCC unroll 1") /* a loop to make a vector of, not to take apart */
#else
#define WHOLE
#endif
#if defined(__GNUC__) && defined(__x86_64__)
#define ALONE(x) __asm__("" : "+x"(x)) /* a number that is not to become part of a vector */
#else
#define ALONE(x) ((void)(x))
#endif
#if defined(_MSC_VER) && !defined(__clang__)
#define restrict __restrict
#endif

/* What a lazy pass over sparse rows keeps: see lazy.pyx for the derivation. One record a step,
 * one cache line a record. */
typedef struct {
    double shrink;     /* total soft threshold so far, in the units of v */
    double a, au;      /* averaging: sum of a_s S_s, and of a_s S_s u_s */
    double p, pu;      /* penalty: sum of b_s S_s, b_s S_s u_s */
    double q, qu, quu; /* penalty: sum of b_s S_s^2, times u_s, times u_s^2 */
} LazyStep;

typedef struct {
    double *v, *sum;          /* (d, n_columns); sum is NULL where nothing is averaged */
    const LazyStep *table;    /* (n_models, n_table) */
    const double *scale;      /* (n_models, n_table): w = scale * v */
    ptrdiff_t n_table;        /* steps + 1, at least */
    ptrdiff_t n_columns;
    const int32_t *model;     /* (n_columns,) the model of a column */
    const double *strengths;  /* (n_models, 4): l2, l1, lower, upper */
    double *penalty;          /* (n_models,) sum over steps of b_s * penalty(w_s) */
    double *room;             /* lazy.pyx: (8, n_columns), what a step needs of a column */
    int32_t *last;            /* lazy_rules.pyx: (d,) the step up to which a feature is current */
    const double *root;       /* (d, n_columns) accumulators; NULL where roots are 1 */
    const double *power;      /* (n_models, 2): root = accumulator^power[0] + power[1] */
} Lazy;

/* A loss of one score: its slope, and its value in *value. See slopes.pyx. */
typedef double (*Scalar)(double y, double z, double parameter, double *value);

/* What steps of lazy.pyx need besides, where each is of one row. */
typedef struct {
    const double *y, *rates;  /* (n, n_columns) of the rows, in their order; rates with weights */
    const double *scale;      /* (n + 1, n_columns): w = scale * v */
    const double *share;      /* (n, n_columns) of several columns: -a of the steps */
    double *value;            /* (n, n_columns) gets the losses of the rows, without weights */
    double *held;             /* (2, longest) room for what a row has of coefficients */
    ptrdiff_t longest;
    double *b, *b_sum;        /* intercepts, and their sums over the states that are averaged */
    double b_moves;           /* 1 or 0 */
    Scalar scalar;            /* NULL is log-loss, whose margins are left in `value` */
    double parameter;
    ptrdiff_t first_averaged; /* step of the chunk */
} Walk;

enum { STRIDE = 256 }; /* features that a step over a dense row takes at once */

typedef struct {
    void (*scores)(const void *X, const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                   ptrdiff_t later, ptrdiff_t d, const double *W, const double *b, ptrdiff_t C,
                   double *Z);
    void (*gradient)(const void *X, const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                     ptrdiff_t later, ptrdiff_t d, const double *D, ptrdiff_t C, double *G,
                     double *gb);
    double (*dot)(const double *w, const void *x, ptrdiff_t d);
    void (*steps)(double *W, const void *x, const void *next, const void *later,
                  const double *decay, const double *k, ptrdiff_t C, ptrdiff_t d, double *square,
                  double *product);
    const void *(*widen)(const void *x, ptrdiff_t d, double *buffer);
} DenseLoops;

/* Statistics of dense rows, for the coordinates of the steps. */
typedef struct {
    void (*column_sums)(const void *X, ptrdiff_t n, ptrdiff_t d, const double *shift,
                        const double *weight, double *sum, double *square);
    void (*row_squares)(const void *X, ptrdiff_t n, ptrdiff_t d, const double *shift,
                        const double *by, double *square);
    void (*gram)(const void *X, const uint32_t *rows, ptrdiff_t n, ptrdiff_t d,
                 const double *shift, const double *by, const double *factor, double *u,
                 double *G, ptrdiff_t q);
} StatisticLoops;

typedef struct {
    void (*scores)(const void *data, const void *indices, const void *indptr,
                   const uint32_t *order, ptrdiff_t first, ptrdiff_t n, const double *W,
                   const double *b, ptrdiff_t C, double *Z);
    void (*gradient)(const void *data, const void *indices, const void *indptr,
                     const uint32_t *order, ptrdiff_t first, ptrdiff_t n, const double *D,
                     ptrdiff_t C, double *G, double *gb, double *change, double *H,
                     const double *share);
    double (*straight)(const void *data, const void *indices, const void *indptr,
                       const uint32_t *order, ptrdiff_t first, ptrdiff_t n, const double *W,
                       const double *b, const double *aim, const double *bend,
                       const double *weight, double *G, double *gb);
    void (*lazy_scores)(const void *data, const void *indices, const void *indptr,
                        const uint32_t *order, ptrdiff_t first, ptrdiff_t n, ptrdiff_t t,
                        const Lazy *z, double *Z);
    void (*lazy_gradient)(const void *data, const void *indices, const void *indptr,
                          const uint32_t *order, ptrdiff_t first, ptrdiff_t n, const double *D,
                          ptrdiff_t t, const Lazy *z);
    void (*walk)(const void *data, const void *indices, const void *indptr, const uint32_t *order,
                 ptrdiff_t first, ptrdiff_t n, ptrdiff_t n_rows, ptrdiff_t t, int lags,
                 const Lazy *z, const Walk *walk);
    void (*prefetch)(const void *data, const void *indices, const void *indptr, ptrdiff_t i,
                     ptrdiff_t later);
    void (*prefetch_coefficients)(const void *indices, const void *indptr, ptrdiff_t i,
                                  const double *W, ptrdiff_t bytes);
    ptrdiff_t (*touched)(const void *indices, const void *indptr, const uint32_t *order,
                         ptrdiff_t first, ptrdiff_t n, int32_t *seen, int32_t stamp,
                         int32_t *list);
    void (*pair_scores)(const void *data, const void *indices, const void *indptr,
                        const uint32_t *order, ptrdiff_t first, ptrdiff_t n, const double *V,
                        const double *mix, ptrdiff_t C, ptrdiff_t width, double *Z);
    void (*pair_gradient)(const void *data, const void *indices, const void *indptr,
                          const uint32_t *order, ptrdiff_t first, ptrdiff_t n, const double *D,
                          const double *gain, ptrdiff_t C, ptrdiff_t width, double *V,
                          double *square);
} SparseLoops;

/* One update of n coordinates; s0 .. s2 are the slots of the rule, in its order; steps, where not
 * NULL, receives the step size of each coordinate; settings are the rule's own, and numbers are
 * what it computes once a step (see rules.pyx). */
typedef void (*Rule)(double *w, const double *g, double *s0, double *s1, double *s2, double *steps,
                     ptrdiff_t n, double rate, ptrdiff_t t, const double *settings,
                     const double *numbers);

typedef struct {
    void (*combine)(double *g, const double *w, double scale, double l2, ptrdiff_t n);
    void (*norms)(const double *w, ptrdiff_t n, double *square, double *absolute);
    void (*prox)(double *w, const double *steps, double step, double l1, double lower,
                 double upper, ptrdiff_t n);
    void (*average)(double *mean, const double *w, double share, ptrdiff_t n);
    void (*logistic)(const double *m, ptrdiff_t n, double *slope, double *loss);
    void (*softmax)(const double *Z, ptrdiff_t n, ptrdiff_t C, ptrdiff_t stride, double *P,
                    double *largest, double *above);
    Rule sgd, adam, adamw, adagrad, adadelta, rmsprop, nadam, radam, adamax, lion, ftrl;
    void (*open)(const int32_t *list, ptrdiff_t n, ptrdiff_t t, const Lazy *z);
    void (*shut)(const int32_t *list, ptrdiff_t n, ptrdiff_t t, const Lazy *z);
    void (*bring)(const int32_t *list, ptrdiff_t n, ptrdiff_t t, const Lazy *z);
} VectorLoops;

#define PASTE_(a, b, c) a##_##b##_##c
#define PASTE(a, b, c) PASTE_(a, b, c)

#define ISA base
#include "vector_loops.h"
#undef ISA

#if defined(__GNUC__) && defined(__x86_64__)
#define SKGD_X86 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define ISA avx2
#include "vector_loops.h"
#undef ISA
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,fma,prefer-vector-width=512")
#endif
#define ISA avx512
#include "vector_loops.h"
#undef ISA
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

/* 0: what every processor of the platform has; 1: AVX2 and FMA; 2: AVX-512. */
UNUSED static int vector_level(void) {
#ifdef SKGD_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

#ifdef SKGD_X86
#define PICK(name, level) \
    ((level) == 2 ? &name##_avx512 : (level) == 1 ? &name##_avx2 : &name##_base)
#else
#define PICK(name, level) (&name##_base)
#endif

UNUSED static const VectorLoops *vector_loops(void) { return PICK(vector, vector_level()); }

UNUSED static const DenseLoops *dense_loops(int is_double) {
    int level = vector_level();
    return is_double ? PICK(dense_double, level) : PICK(dense_float, level);
}

UNUSED static const StatisticLoops *statistic_loops(int is_double) {
    int level = vector_level();
    return is_double ? PICK(statistics_double, level) : PICK(statistics_float, level);
}

UNUSED static const SparseLoops *sparse_loops(int is_double, int is_long) {
    int level = vector_level();
    if (is_long)
        return is_double ? PICK(sparse_double_int64_t, level) : PICK(sparse_float_int64_t, level);
    return is_double ? PICK(sparse_double_int32_t, level) : PICK(sparse_float_int32_t, level);
}

#endif
