/* Loops over dense rows of type T: included by vector_loops.h for float and double.
 *
 * Row i of a block is order[first + i], or first + i where order is NULL; `later` rows follow the
 * block. Tiles of 4 rows by up to 5 columns read X and W once for several products; what a full
 * one keeps at hand, 20 numbers and its rows, fits the 32 registers of AVX-512. Where there is one
 * column, tiles are 8 rows by 64 features. Rows that are left over go one by one.
 */

#define NAME(f) PASTE(f, T, ISA)
/* tile(x, n, ...) for n columns, at most 5, which the compiler must know to unroll its loops */
#define UP_TO_5(tile, x, n, ...)                   \
    switch (n) {                                   \
    case 1: tile(x, 4, 1, __VA_ARGS__); break;     \
    case 2: tile(x, 4, 2, __VA_ARGS__); break;     \
    case 3: tile(x, 4, 3, __VA_ARGS__); break;     \
    case 4: tile(x, 4, 4, __VA_ARGS__); break;     \
    default: tile(x, 4, 5, __VA_ARGS__);           \
    }
#define LINE (64 / (ptrdiff_t)sizeof(T)) /* numbers in a line of the cache */
#define KIB_16 (16384 / (ptrdiff_t)sizeof(T))
#define ROW(i) ((const T *)X + (order ? (ptrdiff_t)order[first + (i)] : first + (i)) * d)

INLINE void NAME(dots)(const T *const *x, int rows, int columns, const double *W, ptrdiff_t start,
                       ptrdiff_t stop, ptrdiff_t d, double *out, ptrdiff_t stride) {
    double sum[8][5] = {{0}};
    for (ptrdiff_t j = start; j < stop; j++)
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) sum[r][c] += (double)x[r][j] * W[c * d + j];
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) out[r * stride + c] += sum[r][c];
}

/* One dot product; four sums run side by side, because one would wait for each addition. */
static double NAME(dot)(const double *w, const void *row, ptrdiff_t d) {
    const T *x = (const T *)row;
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    const ptrdiff_t q = d / 32 * 8;
    for (ptrdiff_t j = 0; j < q; j++) {
        s0 += (double)x[j] * w[j];
        s1 += (double)x[q + j] * w[q + j];
        s2 += (double)x[2 * q + j] * w[2 * q + j];
        s3 += (double)x[3 * q + j] * w[3 * q + j];
    }
    for (ptrdiff_t j = 4 * q; j < d; j++) s0 += (double)x[j] * w[j];
    return (s0 + s1) + (s2 + s3);
}

/* Ask for `width` features from j on of a tile of rows from i on, as far as there are any before
 * `end`. Memory is at work throughout where, of each 64 features of the next block, `scores` asks
 * for one half and `gradient` for the other while they do this one. Of long rows only 16 KiB are
 * asked for: else they push each other out of the cache. */
INLINE void NAME(ask)(const void *X, const uint32_t *order, ptrdiff_t first, ptrdiff_t i, int tile,
                      ptrdiff_t end, ptrdiff_t d, ptrdiff_t j, ptrdiff_t width) {
    const ptrdiff_t most = KIB_16 < d ? KIB_16 : d, stop = j + width < most ? j + width : most;
    for (int r = 0; r < tile; r++) {
        const T *row = ROW(i + r < end ? i + r : end - 1);
        for (ptrdiff_t k = j; k < stop; k += LINE) PREFETCH_LATER(row + k);
    }
}

/* Z[i, c] = x_i . w_c + b_c; where no rows follow, later ones of the block are asked for */
static void NAME(scores)(const void *X, const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                         ptrdiff_t later, ptrdiff_t d, const double *W, const double *b,
                         ptrdiff_t C, double *Z) {
    const ptrdiff_t close = KIB_16 / (d > 0 ? d : 1) / 8 * 8 + 8;
    const ptrdiff_t ahead = later ? n : close, width = later ? 32 : 64, end = n + later;
    ptrdiff_t i = 0;
    if (C == 1 && d >= 8) {
        const ptrdiff_t whole = d / 8 * 8;
        double w[8]; /* of the last 8 features, those that are not in whole registers */
        for (ptrdiff_t l = 0; l < 8; l++) w[l] = d - 8 + l < whole ? 0 : W[d - 8 + l];
        for (; i + 8 <= n; i += 8) {
            const T *x[8];
            for (int r = 0; r < 8; r++) x[r] = ROW(i + r) + d - 8;
            for (int r = 0; r < 8; r++) Z[i + r] = b[0];
            NAME(dots)(x, 8, 1, w, 0, 8, 8, Z + i, 1); /* ends first: then rows come sooner */
            for (int r = 0; r < 8; r++) x[r] -= d - 8;
            for (ptrdiff_t start = 0; start < d; start += 64) {
                const ptrdiff_t stop = start + 64 < d ? start + 64 : d;
                NAME(ask)(X, order, first, i + ahead, 8, end, d, start, width);
                NAME(dots)(x, 8, 1, W, start, stop < whole ? stop : whole, d, Z + i, 1);
            }
        }
    }
    for (; i + 4 <= n; i += 4) {
        const T *x[4] = {ROW(i), ROW(i + 1), ROW(i + 2), ROW(i + 3)};
        double *z = Z + i * C;
        for (ptrdiff_t j = 0; j < d; j += 64)
            NAME(ask)(X, order, first, i + ahead, 4, end, d, j, width);
        for (int r = 0; r < 4; r++) memcpy(z + r * C, b, C * sizeof(double));
        for (ptrdiff_t c = 0; c < C; c += 5)
            UP_TO_5(NAME(dots), x, C - c, W + c * d, 0, d, d, z + c, C)
    }
    for (; i < n; i++) {
        const T *x[1] = {ROW(i)};
        double *z = Z + i * C;
        memcpy(z, b, C * sizeof(double));
        ptrdiff_t c = 0;
        for (; c + 4 <= C; c += 4) NAME(dots)(x, 1, 4, W + c * d, 0, d, d, z + c, C);
        for (; c < C; c++) z[c] += NAME(dot)(W + c * d, x[0], d);
    }
}

INLINE void NAME(outer)(const T *const *x, int rows, int columns, const double *D, ptrdiff_t C,
                        ptrdiff_t start, ptrdiff_t stop, double *restrict G, ptrdiff_t d) {
    double k[8][5];
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) k[r][c] = D[r * C + c];
    for (ptrdiff_t j = start; j < stop; j++)
        for (int c = 0; c < columns; c++) {
            double sum = G[c * d + j];
            for (int r = 0; r < rows; r++) sum += k[r][c] * (double)x[r][j];
            G[c * d + j] = sum;
        }
}

/* G[c] += sum_i D[i, c] x_i and gb[c] += sum_i D[i, c] */
static void NAME(gradient)(const void *X, const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                           ptrdiff_t later, ptrdiff_t d, const double *D, ptrdiff_t C, double *G,
                           double *gb) {
    /* as many features as keep their part of G, 24 KiB, in the cache nearest to the processor */
    const ptrdiff_t part = C > 1 && C < 48 ? 3072 / C / 64 * 64 : 64;
    const ptrdiff_t tiled = C == 1 && d >= 8 ? n / 8 * 8 : 0, whole = d / 8 * 8, end = n + later;
    double last[8] = {0}; /* of the last 8 features, as in `scores` */
    for (ptrdiff_t i = 0; i < tiled; i += 8) {
        const T *x[8];
        for (int r = 0; r < 8; r++) x[r] = ROW(i + r) + d - 8;
        NAME(outer)(x, 8, 1, D + i, 1, 0, 8, last, 8);
    }
    for (ptrdiff_t j = tiled ? whole : d; j < d; j++) G[j] += last[j - d + 8];
    for (ptrdiff_t start = 0; start < d; start += part) {
        const ptrdiff_t stop = start + part < d ? start + part : d;
        ptrdiff_t i = 0;
        for (; i < tiled; i += 8) {
            const T *x[8];
            for (int r = 0; r < 8; r++) x[r] = ROW(i + r);
            NAME(ask)(X, order, first, i + n, 8, end, d, start + 32, 32);
            NAME(outer)(x, 8, 1, D + i, 1, start, stop < whole ? stop : whole, G, d);
        }
        for (; i + 4 <= n; i += 4) {
            const T *x[4] = {ROW(i), ROW(i + 1), ROW(i + 2), ROW(i + 3)};
            for (ptrdiff_t j = start; j < stop; j += 64)
                NAME(ask)(X, order, first, i + n, 4, end, d, j + 32, 32);
            for (ptrdiff_t c = 0; c < C; c += 5)
                UP_TO_5(NAME(outer), x, C - c, D + i * C + c, C, start, stop, G + c * d, d)
        }
        for (; i < n; i++) {
            const T *x[1] = {ROW(i)};
            for (ptrdiff_t c = 0; c < C; c++)
                NAME(outer)(x, 1, 1, D + i * C + c, C, start, stop, G + c * d, d);
        }
    }
    for (ptrdiff_t c = 0; c < C; c++) {
        double sum = 0;
        for (ptrdiff_t i = 0; i < n; i++) sum += D[i * C + c];
        gb[c] += sum;
    }
}

/* w = decay * w + k * x; returns the new sum of squares of w. Its product with the next row is
 * summed on the way, as w needn't be read again for it; two sums of each run side by side. Of a
 * `later` row, if any, all but the first STRIDE features are asked for bit by bit, so that memory
 * is at work throughout. */
static double NAME(step)(double *restrict w, const void *row, const void *following,
                         const void *later, double decay, double k, ptrdiff_t d,
                         double *product) {
    const T *x = (const T *)row, *next = (const T *)following;
    double s0 = 0, s1 = 0, p0 = 0, p1 = 0;
    for (ptrdiff_t start = 0; start < d; start += STRIDE) {
        const ptrdiff_t stop = start + STRIDE < d ? start + STRIDE : d, q = (stop - start) / 16 * 8;
        if (later && start)
            for (ptrdiff_t j = start; j < stop; j += LINE) PREFETCH_LATER((const T *)later + j);
        for (ptrdiff_t j = start; j < start + q; j++) {
            double left = decay * w[j] + k * (double)x[j];
            double right = decay * w[q + j] + k * (double)x[q + j];
            w[j] = left;
            w[q + j] = right;
            s0 += left * left;
            s1 += right * right;
            p0 += left * (double)next[j];
            p1 += right * (double)next[q + j];
        }
        for (ptrdiff_t j = start + 2 * q; j < stop; j++) {
            double value = decay * w[j] + k * (double)x[j];
            w[j] = value;
            s0 += value * value;
            p0 += value * (double)next[j];
        }
    }
    *product = p0 + p1;
    return s0 + s1;
}

/* The same for 4 columns, whose sums run side by side. */
static void NAME(step_of_4)(double *restrict W, const void *row, const void *following,
                            const void *later, const double *decays, const double *ks,
                            ptrdiff_t d, double *square, double *product) {
    const T *x = (const T *)row, *next = (const T *)following;
    double decay[4], k[4], s[4] = {0}, p[4] = {0};
    for (int c = 0; c < 4; c++) decay[c] = decays[c];
    for (int c = 0; c < 4; c++) k[c] = ks[c];
    for (ptrdiff_t start = 0; start < d; start += STRIDE) {
        const ptrdiff_t stop = start + STRIDE < d ? start + STRIDE : d;
        if (later && start)
            for (ptrdiff_t j = start; j < stop; j += LINE) PREFETCH_LATER((const T *)later + j);
        for (ptrdiff_t j = start; j < stop; j++)
            for (int c = 0; c < 4; c++) {
                double value = decay[c] * W[c * d + j] + k[c] * (double)x[j];
                W[c * d + j] = value;
                s[c] += value * value;
                p[c] += value * (double)next[j];
            }
    }
    for (int c = 0; c < 4; c++) square[c] = s[c];
    for (int c = 0; c < 4; c++) product[c] = p[c];
}

/* w_c = decay_c * w_c + k_c * x, with the sums of squares and the products with the next row */
static void NAME(steps)(double *W, const void *x, const void *next, const void *later,
                        const double *decay, const double *k, ptrdiff_t C, ptrdiff_t d,
                        double *square, double *product) {
#define MOVES(c) (k[c] != 0 || decay[c] != 1)
    for (ptrdiff_t c = 0; c < C;) {
        double *w = W + c * d;
        if (!MOVES(c)) {
            product[c] = NAME(dot)(w, next, d);
            c += 1;
            continue;
        }
        if (c + 4 <= C && MOVES(c + 1) && MOVES(c + 2) && MOVES(c + 3)) {
            NAME(step_of_4)(w, x, next, later, decay + c, k + c, d, square + c, product + c);
            c += 4;
        } else {
            square[c] = NAME(step)(w, x, next, later, decay[c], k[c], d, product + c);
            c += 1;
        }
        later = NULL; /* asked for */
    }
#undef MOVES
}

/* A row in double: itself, or a copy in the buffer. */
static const void *NAME(widen)(const void *row, ptrdiff_t d, double *buffer) {
    if (sizeof(T) == sizeof(double)) return row;
    for (ptrdiff_t j = 0; j < d; j++) buffer[j] = (double)((const T *)row)[j];
    return buffer;
}

#define TABLE_(t, isa) dense_##t##_##isa
#define TABLE(t, isa) TABLE_(t, isa)
UNUSED static const DenseLoops TABLE(T, ISA) = {
    NAME(scores), NAME(gradient), NAME(dot), NAME(steps), NAME(widen),
};
#undef TABLE
#undef TABLE_
#undef ROW
#undef KIB_16
#undef LINE
#undef UP_TO_5
#undef NAME
