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

#define TABLE_(t, isa) statistics_##t##_##isa
#define TABLE(t, isa) TABLE_(t, isa)
UNUSED static const StatisticLoops TABLE(T, ISA) = {NAME(column_sums), NAME(row_squares)};
#undef TABLE
#undef TABLE_
#undef NAME
