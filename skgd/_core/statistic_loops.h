/* Statistics of dense rows of type T: included by vector_loops.h for float and double. */

#define NAME(f) PASTE(f, T, ISA)

/* adds the weighted sums of x - shift, and of its square, of each column; weight may be NULL */
static void NAME(column_sums)(const void *X, ptrdiff_t n, ptrdiff_t d,
                              const double *restrict shift, const double *weight,
                              double *restrict sum, double *restrict square) {
    const T *restrict x = (const T *)X;
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4, x += 4 * d) {
        double w[4];
        for (int r = 0; r < 4; r++) w[r] = weight ? weight[i + r] : 1;
        for (ptrdiff_t j = 0; j < d; j++) {
            double a0 = x[j] - shift[j], a1 = x[d + j] - shift[j];
            double a2 = x[2 * d + j] - shift[j], a3 = x[3 * d + j] - shift[j];
            sum[j] += (w[0] * a0 + w[1] * a1) + (w[2] * a2 + w[3] * a3);
            square[j] += (w[0] * a0 * a0 + w[1] * a1 * a1) + (w[2] * a2 * a2 + w[3] * a3 * a3);
        }
    }
    for (; i < n; i++, x += d) {
        double w = weight ? weight[i] : 1;
        for (ptrdiff_t j = 0; j < d; j++) {
            double a = x[j] - shift[j];
            sum[j] += w * a;
            square[j] += w * a * a;
        }
    }
}

/* squared lengths of the rows (x - shift) * by */
static void NAME(row_squares)(const void *X, ptrdiff_t n, ptrdiff_t d,
                              const double *restrict shift, const double *restrict by,
                              double *restrict square) {
    const T *restrict x = (const T *)X;
    for (ptrdiff_t i = 0; i < n; i++, x += d) {
        double total = 0;
        for (ptrdiff_t j = 0; j < d; j++) {
            double a = (x[j] - shift[j]) * by[j];
            total += a * a;
        }
        square[i] = total;
    }
}

/* 4 rows of G += u'u, up to their columns `width`, over 4 rows of u */
INLINE void NAME(gram_rows)(const double *restrict u, ptrdiff_t q, ptrdiff_t width,
                            const double *restrict left, double *restrict G) {
    double k[4][4];
    for (int a = 0; a < 4; a++)
        for (int r = 0; r < 4; r++) k[a][r] = left[r * q + a];
    for (ptrdiff_t j = 0; j < width; j++)
        for (int a = 0; a < 4; a++) {
            double sum = G[a * q + j];
            for (int r = 0; r < 4; r++) sum += k[a][r] * u[r * q + j];
            G[a * q + j] = sum;
        }
}

/* adds u'u of the rows u = ((x - shift) * by, 1) * factor that `rows` names to G, its lower
 * triangle; q is d + 1 in whole registers, and u has room for 4 rows of zeros */
static void NAME(gram)(const void *X, const uint32_t *rows, ptrdiff_t n, ptrdiff_t d,
                       const double *restrict shift, const double *restrict by,
                       const double *factor, double *restrict u, double *restrict G,
                       ptrdiff_t q) {
    for (ptrdiff_t k = 0; k < n; k += 4) {
        for (ptrdiff_t r = 0; r < 4; r++) {
            const ptrdiff_t row = k + r < n ? k + r : k;
            const T *x = (const T *)X + (ptrdiff_t)rows[row] * d;
            const double w = k + r < n ? factor[row] : 0;
            for (ptrdiff_t j = 0; j < d; j++) u[r * q + j] = (x[j] - shift[j]) * by[j] * w;
            u[r * q + d] = w;
        }
        for (ptrdiff_t i = 0; i <= d; i += 4)
            NAME(gram_rows)(u, q, (i + 11) / 8 * 8, u + i, G + i * q);
    }
}

#define TABLE_(t, isa) statistics_##t##_##isa
#define TABLE(t, isa) TABLE_(t, isa)
UNUSED static const StatisticLoops TABLE(T, ISA) = {NAME(column_sums), NAME(row_squares),
                                                     NAME(gram)};
#undef TABLE
#undef TABLE_
#undef NAME
