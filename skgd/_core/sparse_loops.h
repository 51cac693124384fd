/* Loops over CSR rows of values T and indices I: included by vector_loops.h.
 *
 * Parameters of sparse rows lie by feature, W[j * C + c], so that all columns of a
 * non-zero share a cache line.
 */

#define PASTE4_(a, b, c, e) a##_##b##_##c##_##e
#define PASTE4(a, b, c, e) PASTE4_(a, b, c, e)
#define NAME(f) PASTE4(f, T, I, ISA)
#define BLOCK 4
#define FEW 8    /* columns that are moved one by one */
#define AHEAD 12 /* rows that are asked for before they are needed */
#define LONG 512 /* non-zeros of a row that are */
#define LANES 8  /* columns that go together, at most */
#define EACH_LANE(q) WHOLE for (int q = 0; q < width; q++)
#define IN_LANES(C, some) \
    for (ptrdiff_t c = 0; c + LANES <= (C); c += LANES) some(c, LANES); \
    if ((C) & 4) some((C) & ~(ptrdiff_t)7, 4); \
    if ((C) & 2) some((C) & ~(ptrdiff_t)3, 2); \
    if ((C) & 1) some((C) - 1, 1);
#define EACH_NONZERO(i, k) \
    const ptrdiff_t row = order ? (ptrdiff_t)order[first + (i)] : first + (i); \
    for (ptrdiff_t k = ((const I *)indptr)[row]; k < ((const I *)indptr)[row + 1]; k++)

/* z = x . w of a row, one column of C. Four sums side by side, because one would wait for each
 * addition, and no vectors, as it takes longer to gather numbers into one. Returns x . x. */
INLINE double NAME(product)(const T *x, const I *index, ptrdiff_t size, const double *W,
                            ptrdiff_t C, double *z) {
    double sum[BLOCK] = {0}, square[BLOCK] = {0};
    ptrdiff_t k = 0;
    for (; k + BLOCK <= size; k += BLOCK)
        for (int q = 0; q < BLOCK; q++) {
            const double value = (double)x[k + q];
            sum[q] += value * W[index[k + q] * C];
            ALONE(sum[q]);
            square[q] += value * value;
        }
    for (; k < size; k++) {
        const double value = (double)x[k];
        sum[0] += value * W[index[k] * C];
        ALONE(sum[0]);
        square[0] += value * value;
    }
    z[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    return (square[0] + square[1]) + (square[2] + square[3]);
}

/* z[c] = x . w_c of a row for `width` columns, which the compiler knows, so that sums stay in
 * registers: two of each, as a sum waits for each addition. Returns x . x. */
INLINE double NAME(products)(const T *x, const I *index, ptrdiff_t size,
                             const double *restrict W, ptrdiff_t C, int width,
                             double *restrict z) {
    if (width == 1) return NAME(product)(x, index, size, W, C, z);
    double even[LANES], odd[LANES], square = 0;
    ptrdiff_t k = 0;
    EACH_LANE(q) even[q] = odd[q] = 0;
    for (; k + 2 <= size; k += 2) {
        const double *w0 = W + index[k] * C, *w1 = W + index[k + 1] * C;
        const double x0 = (double)x[k], x1 = (double)x[k + 1];
        EACH_LANE(q) even[q] += x0 * w0[q];
        EACH_LANE(q) odd[q] += x1 * w1[q];
        square += x0 * x0 + x1 * x1;
    }
    if (k < size) {
        const double *w = W + index[k] * C, value = (double)x[k];
        EACH_LANE(q) even[q] += value * w[q];
        square += value * value;
    }
    EACH_LANE(q) z[q] = even[q] + odd[q];
    return square;
}

/* The same for all columns. */
static double NAME(row_scores)(const T *x, const I *index, ptrdiff_t size, const double *W,
                               ptrdiff_t C, double *z) {
    double square = 0;
#define SOME(c, width) square = NAME(products)(x, index, size, W + (c), C, width, z + (c))
    IN_LANES(C, SOME)
#undef SOME
    return square;
}

/* Z[i, c] = x_i . w_c + b_c; b may be NULL */
static void NAME(scores)(const void *data, const void *indices, const void *indptr,
                         const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                         const double *restrict W, const double *b, ptrdiff_t C,
                         double *restrict Z) {
    const T *x = (const T *)data;
    const I *index = (const I *)indices;
    for (ptrdiff_t i = 0; i < n; i++) {
        double *z = Z + i * C;
        if (C == 1) {
            double sum = 0;
            EACH_NONZERO(i, k) sum += (double)x[k] * W[index[k]];
            z[0] = sum + (b ? b[0] : 0);
            continue;
        }
        const ptrdiff_t row = order ? (ptrdiff_t)order[first + i] : first + i;
        const ptrdiff_t start = ((const I *)indptr)[row], end = ((const I *)indptr)[row + 1];
        NAME(row_scores)(x + start, index + start, end - start, W, C, z);
        for (ptrdiff_t c = 0; b && c < C; c++) z[c] += b[c];
    }
}

/* The columns that a row moves, and how many, where they are at most FEW and a quarter of all: then
 * only their coefficients need be touched. Else -1. */
INLINE ptrdiff_t NAME(moved_by)(const double *slope, ptrdiff_t C, ptrdiff_t *moved) {
    ptrdiff_t count = 0;
    for (ptrdiff_t c = 0; c < C; c++) {
        if (slope[c] == 0) continue;
        if (count == FEW || 4 * (count + 1) > C) return -1;
        moved[count++] = c;
    }
    return count;
}

/* w += slope x of a row, one column of C; square, where wanted, grows by what that adds to the sum
 * of squares of w, and sum, where wanted, by share times as much as w. The indices of a row differ,
 * so that four numbers may be loaded before one is stored. */
INLINE void NAME(add_one)(const T *x, const I *index, ptrdiff_t size, double slope, ptrdiff_t C,
                          double *W, double *square, double *sum, double share) {
    double before[BLOCK] = {0}, xx[BLOCK] = {0};
    ptrdiff_t k = 0;
    for (; k + BLOCK <= size; k += BLOCK) {
        double w[BLOCK], s[BLOCK];
        for (int q = 0; q < BLOCK; q++) {
            w[q] = W[index[k + q] * C];
            s[q] = sum ? sum[index[k + q] * C] : 0;
        }
        for (int q = 0; q < BLOCK; q++) {
            const double value = (double)x[k + q];
            if (square) {
                before[q] += value * w[q];
                ALONE(before[q]);
                xx[q] += value * value;
            }
            ALONE(w[q]);
            W[index[k + q] * C] = w[q] + slope * value;
            if (sum) sum[index[k + q] * C] = s[q] + share * slope * value;
        }
    }
    for (; k < size; k++) {
        const double value = (double)x[k], w = W[index[k] * C];
        if (square) {
            before[0] += value * w;
            xx[0] += value * value;
        }
        W[index[k] * C] = w + slope * value;
        if (sum) sum[index[k] * C] += share * slope * value;
    }
    if (square)
        square[0] += slope * (2 * ((before[0] + before[1]) + (before[2] + before[3])) +
                              slope * ((xx[0] + xx[1]) + (xx[2] + xx[3])));
}

/* The same for `width` columns, as above. */
INLINE void NAME(add)(const T *x, const I *index, ptrdiff_t size, const double *slope,
                      ptrdiff_t C, int width, double *restrict W, double *square,
                      double *restrict sum, const double *share) {
    if (width == 1) {
        NAME(add_one)(x, index, size, slope[0], C, W, square, sum, sum ? share[0] : 0);
        return;
    }
    double own[LANES], part[LANES], before[LANES], xx = 0;
    EACH_LANE(q) own[q] = slope[q];
    EACH_LANE(q) part[q] = sum ? share[q] * slope[q] : 0;
    EACH_LANE(q) before[q] = 0;
    for (ptrdiff_t k = 0; k < size; k++) {
        double *w = W + index[k] * C, *s = sum + index[k] * C;
        const double value = (double)x[k];
        if (square) {
            EACH_LANE(q) before[q] += value * w[q];
            xx += value * value;
        }
        EACH_LANE(q) w[q] += value * own[q];
        if (sum) EACH_LANE(q) s[q] += value * part[q];
    }
    if (square) EACH_LANE(q) square[q] += own[q] * (2 * before[q] + own[q] * xx);
}

/* The same for all columns, or those that move. */
static void NAME(add_row)(const T *x, const I *index, ptrdiff_t size, const double *slope,
                          ptrdiff_t C, double *W, double *square, double *sum,
                          const double *share) {
    ptrdiff_t moved[FEW];
    const ptrdiff_t n_moved = NAME(moved_by)(slope, C, moved);
#define SOME(c, width) \
    NAME(add)(x, index, size, slope + (c), C, width, W + (c), square ? square + (c) : NULL, \
              sum ? sum + (c) : NULL, share + (c))
    for (ptrdiff_t q = 0; q < n_moved; q++) SOME(moved[q], 1);
    if (n_moved >= 0) return;
    IN_LANES(C, SOME)
#undef SOME
}

/* G[j, c] += sum_i D[i, c] x_ij and gb[c] += sum_i D[i, c]; change[c], where wanted, grows by
 * what that adds to the sum of squares of G[:, c]; H[j, c], where wanted, grows by share[c] times
 * as much as G[j, c] */
static void NAME(gradient)(const void *data, const void *indices, const void *indptr,
                           const uint32_t *order, ptrdiff_t first, ptrdiff_t n, const double *D,
                           ptrdiff_t C, double *restrict G, double *gb, double *change,
                           double *restrict H, const double *share) {
    const T *x = (const T *)data;
    const I *index = (const I *)indices;
    for (ptrdiff_t c = 0; gb && c < C; c++) {
        double sum = 0;
        for (ptrdiff_t i = 0; i < n; i++) sum += D[i * C + c];
        gb[c] += sum;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *slope = D + i * C, k1 = slope[0];
        if (C == 1 && k1 == 0) continue;
        if (C == 1 && !change && !H) {
            EACH_NONZERO(i, k) G[index[k]] += k1 * (double)x[k];
            continue;
        }
        const ptrdiff_t row = order ? (ptrdiff_t)order[first + i] : first + i;
        const ptrdiff_t start = ((const I *)indptr)[row];
        const ptrdiff_t size = ((const I *)indptr)[row + 1] - start;
        if (C > 1)
            NAME(add_row)(x + start, index + start, size, slope, C, G, change, H, share);
        else if (H)
            NAME(add_one)(x + start, index + start, size, k1, 1, G, change, H, share[0]);
        else
            NAME(add_one)(x + start, index + start, size, k1, 1, G, change, NULL, 0);
    }
}

/* Both at once for one column with the slopes bend[i] * (Z[i] - aim of the row) * its weight, and half
 * the sum of Z[i] - aim times that, which is returned; without a bend it is 1, without an aim 0.
 * A row's second loop ends where its first one did, which the processor foresees: this counts where
 * rows are short. */
INLINE double NAME(straight_rows)(const void *data, const void *indices, const void *indptr,
                                  const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                                  const double *restrict W, const double *b, const double *aim,
                                  const double *bend, const double *weight, double *restrict G,
                                  double *gb) {
    const T *x = (const T *)data;
    const I *index = (const I *)indices;
    double total = 0, loss = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t row = order ? (ptrdiff_t)order[first + i] : first + i;
        const ptrdiff_t start = ((const I *)indptr)[row], end = ((const I *)indptr)[row + 1];
        double z = b ? b[0] : 0;
        for (ptrdiff_t k = start; k < end; k++) z += (double)x[k] * W[index[k]];
        if (aim) z -= aim[row];
        double slope = z;
        if (bend) slope *= bend[i];
        if (weight) slope *= weight[row];
        total += slope;
        loss += slope * z;
        for (ptrdiff_t k = start; k < end; k++) G[index[k]] += slope * (double)x[k];
    }
    if (gb) gb[0] += total;
    return 0.5 * loss;
}

static double NAME(straight)(const void *data, const void *indices, const void *indptr,
                             const uint32_t *order, ptrdiff_t first, ptrdiff_t n, const double *W,
                             const double *b, const double *aim, const double *bend,
                             const double *weight, double *G, double *gb) {
    if (!order) /* without a question a row */
        return NAME(straight_rows)(data, indices, indptr, NULL, first, n, W, b, aim, bend, weight,
                                   G, gb);
    return NAME(straight_rows)(data, indices, indptr, order, first, n, W, b, aim, bend, weight, G,
                               gb);
}

/* The scores on coefficients of lazy.pyx, before step t */
static void NAME(lazy_scores)(const void *data, const void *indices, const void *indptr,
                              const uint32_t *order, ptrdiff_t first, ptrdiff_t n, ptrdiff_t t,
                              const Lazy *z, double *restrict Z) {
    const T *x = (const T *)data;
    const I *index = (const I *)indices;
    const ptrdiff_t C = z->n_columns;
    const double *restrict B = z->v;
    double *restrict u = z->room;
    for (ptrdiff_t c = 0; c < C; c++) u[c] = z->table[z->model[c] * z->n_table + t].shrink;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (C == 1) {
            const ptrdiff_t row = order ? (ptrdiff_t)order[first + i] : first + i;
            ptrdiff_t k = ((const I *)indptr)[row];
            const ptrdiff_t end = ((const I *)indptr)[row + 1];
            const double u1 = u[0];
            double sum[4] = {0, 0, 0, 0}; /* one would wait for each addition */
            for (; k + 4 <= end; k += 4)
                for (int q = 0; q < 4; q++)
                    sum[q] += (double)x[k + q] * PASTE(left, vector, ISA)(B[index[k + q]], u1);
            for (; k < end; k++) sum[0] += (double)x[k] * PASTE(left, vector, ISA)(B[index[k]], u1);
            Z[i] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
            continue;
        }
        for (ptrdiff_t c = 0; c < C; c++) Z[i * C + c] = 0;
        const ptrdiff_t row = order ? (ptrdiff_t)order[first + i] : first + i;
        ptrdiff_t k = ((const I *)indptr)[row];
        const ptrdiff_t end = ((const I *)indptr)[row + 1];
        for (; k + 2 <= end; k += 2) {
            const double *b0 = B + index[k] * C, *b1 = B + index[k + 1] * C;
            const double x0 = (double)x[k], x1 = (double)x[k + 1];
            for (ptrdiff_t c = 0; c < C; c++)
                Z[i * C + c] += x0 * PASTE(left, vector, ISA)(b0[c], u[c]) +
                                x1 * PASTE(left, vector, ISA)(b1[c], u[c]);
        }
        for (; k < end; k++) {
            const double *b = B + index[k] * C;
            const double value = (double)x[k];
            for (ptrdiff_t c = 0; c < C; c++)
                Z[i * C + c] += value * PASTE(left, vector, ISA)(b[c], u[c]);
        }
    }
}

/* B after step t and its sums, one column, from the slopes D of n rows. Four side by side, because a
 * sum waits for each addition; a row is filled up with zeros, which stay what they are. */
INLINE void NAME(lazy_column)(const T *x, const I *index, const I *indptr, const uint32_t *order,
                              ptrdiff_t first, ptrdiff_t n, const double *D, ptrdiff_t t,
                              const Lazy *z, double *room, int averaged) {
    double grown[3 * BLOCK], owed[BLOCK];
    for (ptrdiff_t q = 0; q < 3 * BLOCK; q++) grown[q] = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double slope = D[i];
        if (slope == 0) continue;
        const ptrdiff_t row = order ? (ptrdiff_t)order[first + i] : first + i;
        const ptrdiff_t end = indptr[row + 1];
        for (ptrdiff_t k = indptr[row]; k < end; k += BLOCK) {
            const ptrdiff_t size = end - k < BLOCK ? end - k : BLOCK;
            double B[BLOCK], add[BLOCK];
            for (ptrdiff_t q = 0; q < BLOCK; q++) {
                B[q] = q < size ? z->v[index[k + q]] : 0;
                add[q] = q < size ? slope * (double)x[k + q] : 0;
            }
            if (PASTE(some_gone, vector, ISA)(B, room, 0, BLOCK))
                for (ptrdiff_t q = 0; q < size; q++) {
                    PASTE(bury, vector, ISA)(index[k + q], 0, 1, t, z);
                    B[q] = z->v[index[k + q]];
                }
            PASTE(push, vector, ISA)(B, add, averaged ? owed : NULL, room, room + 1, room + 2, 0,
                                     grown, BLOCK);
            for (ptrdiff_t q = 0; q < BLOCK && q < size; q++) {
                z->v[index[k + q]] = B[q];
                if (averaged) z->sum[index[k + q]] -= owed[q];
            }
        }
    }
    for (int m = 0; m < 3; m++) {
        double sum = 0;
        for (ptrdiff_t q = 0; q < BLOCK; q++) sum += grown[m * BLOCK + q];
        room[3 + m] = sum;
    }
}

/* The same for C columns, which lie side by side. */
INLINE void NAME(lazy_columns)(const T *x, const I *index, const I *indptr, const uint32_t *order,
                               ptrdiff_t first, ptrdiff_t n, const double *D, ptrdiff_t t,
                               const Lazy *z, double *room, int averaged) {
    const ptrdiff_t C = z->n_columns;
    double *add = room + 6 * C, *owed = room + 7 * C;
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t moved[FEW];
        const ptrdiff_t n_moved = NAME(moved_by)(D + i * C, C, moved);
        EACH_NONZERO(i, k) {
            const ptrdiff_t j = index[k];
            if (n_moved >= 0) {
                for (ptrdiff_t q = 0; q < n_moved; q++) {
                    const ptrdiff_t c = moved[q];
                    double *B = z->v + j * C + c, grown[3] = {0, 0, 0};
                    const double plus = (double)x[k] * D[i * C + c];
                    if (PASTE(some_gone, vector, ISA)(B, room + c, 0, 1))
                        PASTE(bury, vector, ISA)(j, c, c + 1, t, z);
                    PASTE(push, vector, ISA)(B, &plus, averaged ? owed : NULL, room + c,
                                             room + C + c, room + 2 * C + c, 0, grown, 1);
                    if (averaged) z->sum[j * C + c] -= owed[0];
                    for (int m = 0; m < 3; m++) room[(3 + m) * C + c] += grown[m];
                }
                continue;
            }
            if (PASTE(some_gone, vector, ISA)(z->v + j * C, room, 1, C))
                PASTE(bury, vector, ISA)(j, 0, C, t, z);
            for (ptrdiff_t c = 0; c < C; c++) add[c] = (double)x[k] * D[i * C + c];
            PASTE(push, vector, ISA)(z->v + j * C, add, averaged ? owed : NULL, room, room + C,
                                     room + 2 * C, 1, room + 3 * C, C);
            if (averaged)
                for (ptrdiff_t c = 0; c < C; c++) z->sum[j * C + c] -= owed[c];
        }
    }
}

static void NAME(lazy_gradient)(const void *data, const void *indices, const void *indptr,
                                const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                                const double *D, ptrdiff_t t, const Lazy *z) {
    const Lazy own = *z; /* stores can't change it, so that it may stay in registers */
    PASTE(begin_step, vector, ISA)(t, &own, own.room);
    if (own.n_columns > 1 && own.sum)
        NAME(lazy_columns)(data, indices, indptr, order, first, n, D, t, &own, own.room, 1);
    else if (own.n_columns > 1)
        NAME(lazy_columns)(data, indices, indptr, order, first, n, D, t, &own, own.room, 0);
    else if (own.sum)
        NAME(lazy_column)(data, indices, indptr, order, first, n, D, t, &own, own.room, 1);
    else
        NAME(lazy_column)(data, indices, indptr, order, first, n, D, t, &own, own.room, 0);
    PASTE(end_step, vector, ISA)(t, &own, own.room);
}

/* The features that rows touch, each once: list, and how many; seen[j] == stamp marks them. */
static ptrdiff_t NAME(touched)(const void *indices, const void *indptr, const uint32_t *order,
                               ptrdiff_t first, ptrdiff_t n, int32_t *restrict seen,
                               int32_t stamp, int32_t *restrict list) {
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        EACH_NONZERO(i, k) {
            const ptrdiff_t j = ((const I *)indices)[k];
            list[count] = (int32_t)j;
            count += seen[j] != stamp;
            seen[j] = stamp;
        }
    }
    return count;
}

/* Coefficients of lazy_momentum.pyx: a record (p, q) or (p, q, sum) of `width` numbers for each
 * feature and column. Z[i, c] = x_i . (mix[c, 0] p_c + mix[c, 1] q_c) */
static void NAME(pair_scores)(const void *data, const void *indices, const void *indptr,
                              const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                              const double *restrict V, const double *restrict mix, ptrdiff_t C,
                              ptrdiff_t width, double *restrict Z) {
    const T *x = (const T *)data;
    const I *index = (const I *)indices;
    for (ptrdiff_t i = 0; i < n; i++) {
        double *z = Z + i * C;
        for (ptrdiff_t c = 0; c < C; c++) z[c] = 0;
        if (C == 1) {
            const double slow = mix[0], fast = mix[1];
            double sum = 0;
            EACH_NONZERO(i, k) {
                const double *v = V + index[k] * width;
                sum += (double)x[k] * (slow * v[0] + fast * v[1]);
            }
            z[0] = sum;
            continue;
        }
        EACH_NONZERO(i, k) {
            const double *v = V + index[k] * C * width;
            const double value = (double)x[k];
            for (ptrdiff_t c = 0; c < C; c++, v += width)
                z[c] += value * (mix[2 * c] * v[0] + mix[2 * c + 1] * v[1]);
        }
    }
}

INLINE void NAME(pair_add)(double *v, double g, const double *gain, ptrdiff_t width,
                           double *square) {
    const double p = gain[0] * g, q = gain[1] * g;
    if (square) {
        square[0] += p * (2 * v[0] + p);
        square[1] += p * v[1] + q * (v[0] + p);
        square[2] += q * (2 * v[1] + q);
    }
    v[0] += p;
    v[1] += q;
    if (width == 3) v[2] += gain[2] * g;
}

/* Add gain[c] times sum_i D[i, c] x_ij to each record; square (C, 3), where wanted, follows the
 * sums of p^2, p q and q^2 */
static void NAME(pair_gradient)(const void *data, const void *indices, const void *indptr,
                                const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                                const double *D, const double *gain, ptrdiff_t C,
                                ptrdiff_t width, double *V, double *square) {
    const T *x = (const T *)data;
    const I *index = (const I *)indices;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *slope = D + i * C;
        if (C == 1) {
            if (slope[0] == 0) continue;
            const double own[3] = {gain[0] * slope[0], gain[1] * slope[0], gain[2] * slope[0]};
            double grown[3] = {0, 0, 0};
            EACH_NONZERO(i, k) NAME(pair_add)(V + index[k] * width, (double)x[k], own, width,
                                              square ? grown : NULL);
            if (square)
                for (int m = 0; m < 3; m++) square[m] += grown[m];
            continue;
        }
        EACH_NONZERO(i, k) {
            double *v = V + index[k] * C * width;
            for (ptrdiff_t c = 0; c < C; c++, v += width)
                NAME(pair_add)(v, (double)x[k] * slope[c], gain + 3 * c, width,
                               square ? square + 3 * c : NULL);
        }
    }
}

/* Ask for a row, to the second cache, as few lines at a time may be under way to the first, and for
 * where a later row begins. Inline, because to a compiler a call that does no more is of no effect. */
INLINE void NAME(prefetch)(const void *data, const void *indices, const void *indptr,
                           ptrdiff_t i, ptrdiff_t later) {
    const ptrdiff_t start = ((const I *)indptr)[i], end = ((const I *)indptr)[i + 1];
    const ptrdiff_t far = end < start + LONG ? end : start + LONG;
    for (ptrdiff_t k = start; k < far; k += 64 / sizeof(T)) PREFETCH_LATER((const T *)data + k);
    for (ptrdiff_t k = start; k < far; k += 64 / sizeof(I)) PREFETCH_LATER((const I *)indices + k);
    if (far > start) { /* a row seldom begins with a line */
        PREFETCH_LATER((const T *)data + far - 1);
        PREFETCH_LATER((const I *)indices + far - 1);
    }
    PREFETCH((const I *)indptr + later);
}

/* Ask for `bytes` of the coefficients of each feature of a row. */
static void NAME(prefetch_coefficients)(const void *indices, const void *indptr, ptrdiff_t i,
                                        const double *W, ptrdiff_t bytes) {
    for (ptrdiff_t k = ((const I *)indptr)[i]; k < ((const I *)indptr)[i + 1]; k++) {
        const char *w = (const char *)W + ((const I *)indices)[k] * bytes;
        for (ptrdiff_t at = 0; at < bytes; at += 64) PREFETCH_LATER(w + at);
        PREFETCH_LATER(w + bytes - 1);
    }
}

/* From the products with the i-th row to the steps, for the columns c .. c + width as above. Numbers
 * are taken to arrays of this function's own, which no store can change. */
INLINE void NAME(steps)(const Walk *walk, ptrdiff_t i, ptrdiff_t C, ptrdiff_t c, int width,
                        double xx, const double *vx, double *square, double *penalty, double *b,
                        double *step) {
    const double *y = walk->y + i * C + c, *rate = walk->rates + i * C + c;
    const double *scale = walk->scale + i * C + c, *next = scale + C;
    double *value = walk->value + i * C + c;
    double now[LANES], score[LANES], slope[LANES], gain[LANES], product[LANES], sum[LANES];
    EACH_LANE(q) gain[q] = -rate[q] / next[q]; /* which needn't wait for a slope */
    EACH_LANE(q) now[q] = scale[q];
    EACH_LANE(q) product[q] = vx[c + q];
    EACH_LANE(q) score[q] = now[q] * product[q] + b[c + q];
    if (walk->scalar) {
        for (int q = 0; q < width; q++)
            slope[q] = walk->scalar(y[q], score[q], walk->parameter, value + q);
    } else {
        EACH_LANE(q) score[q] *= y[q];
        EACH_LANE(q) value[q] = score[q];
        EACH_LANE(q) slope[q] = score[q] > 708.0 ? 708.0 : score[q];
        EACH_LANE(q) slope[q] = -y[q] / (1.0 + PASTE(exp_below, vector, ISA)(slope[q]));
    }
    EACH_LANE(q) b[c + q] -= walk->b_moves * rate[q] * slope[q];
    EACH_LANE(q) slope[q] *= gain[q];
    EACH_LANE(q) step[c + q] = slope[q];
    EACH_LANE(q) sum[q] = square[c + q];
    EACH_LANE(q) penalty[c + q] += now[q] * now[q] * sum[q];
    EACH_LANE(q) square[c + q] = sum[q] + slope[q] * (2 * product[q] + slope[q] * xx);
}

/* Steps t .. t + n of lazy.pyx, a row each, without bounds, and with one column where there are
 * thresholds. A step adds k x to v, so that the sum of squares grows by 2 k (v . x) + k^2 (x . x):
 * both are summed with the score. Where thresholds take more numbers, those of a row are held side
 * by side: plain loops over them are vectors. */
INLINE void NAME(walk_rows)(const T *data, const I *indices, const I *indptr,
                            const uint32_t *order, ptrdiff_t first, ptrdiff_t n,
                            ptrdiff_t n_rows, ptrdiff_t t, const Lazy *z, const Walk *walk,
                            ptrdiff_t C, int lags, int averaged) {
    const Walk own = *walk; /* stores can't change it, so that it may stay in registers */
    const LazyStep *table = z->table;
    double *v = z->v, *sum = z->sum;
    double single[6]; /* numbers of one column stay in registers */
    double *square = C == 1 ? single : z->room, *vx = square + C, *step = vx + C;
    double *penalty = step + C;
    double *b = C == 1 ? single + 4 : own.b, *b_sum = C == 1 ? single + 5 : own.b_sum;
    double *restrict held = own.held, *restrict owed = held + own.longest;
    if (C == 1) {
        square[0] = z->room[0];
        b[0] = own.b[0];
        b_sum[0] = own.b_sum[0];
    }
    const double l2 = z->strengths[0], l1 = z->strengths[1];
    double kept = 0; /* of the penalty, where there are thresholds */
    for (ptrdiff_t c = 0; c < C; c++) penalty[c] = 0;
    for (ptrdiff_t i = 0; i < n; i++, t++) {
        const ptrdiff_t row = order ? (ptrdiff_t)order[first + i] : first + i;
        if (order && first + i + AHEAD < n_rows) {
            const ptrdiff_t later = first + i + 2 * AHEAD;
            NAME(prefetch)(data, indices, indptr, order[first + i + AHEAD],
                           order[later < n_rows ? later : n_rows - 1]);
        }
        if (C > 1 && order && first + i + 1 < n_rows)
            NAME(prefetch_coefficients)(indices, indptr, order[first + i + 1], v, C * 8);
        const ptrdiff_t size = indptr[row + 1] - indptr[row];
        const T *x = data + indptr[row];
        const I *index = indices + indptr[row];
        const LazyStep *now = table + t;
        const double u = now->shrink;
        double xx = 0;
        int64_t gone = 0;
        if (lags) {
            double product = 0;
            for (ptrdiff_t k = 0; k < size; k++) held[k] = v[index[k]];
            for (ptrdiff_t k = 0; k < size; k++) {
                const double left = PASTE(left, vector, ISA)(held[k], u), value = (double)x[k];
                product += value * left;
                xx += value * value;
                gone |= (left == 0 ? 1 : 0) & (held[k] != 0 ? 1 : 0);
            }
            vx[0] = product;
        } else if (C == 1) {
            xx = NAME(product)(x, index, size, v, 1, vx);
        } else {
            xx = NAME(row_scores)(x, index, size, v, C, vx);
        }
#define SOME(c, width) NAME(steps)(&own, i, C, c, width, xx, vx, square, penalty, b, step)
        IN_LANES(C, SOME)
#undef SOME
        for (ptrdiff_t c = 0; t >= own.first_averaged && c < C; c++) b_sum[c] += b[c];
        if (C > 1) {
            NAME(add_row)(x, index, size, step, C, v, NULL, averaged ? sum : NULL,
                          own.share + i * C);
            continue;
        }
        const double k1 = step[0];
        if (k1 == 0) continue;
        if (!lags) {
            NAME(add_one)(x, index, size, k1, 1, v, NULL, averaged ? sum : NULL, -now->a);
            continue;
        }
        const double grown = k1 * (2 * vx[0] + k1 * xx);
        for (ptrdiff_t k = 0; gone && k < size; k++)
            if (held[k] != 0 && fabs(held[k]) <= u) {
                PASTE(bury, vector, ISA)(index[k], 0, 1, t, z);
                held[k] = 0;
            }
        double length = 0, count = 0;
        for (ptrdiff_t k = 0; k < size; k++) {
            const double old = held[k], before = PASTE(left, vector, ISA)(old, u);
            const double after = before + k1 * (double)x[k];
            held[k] = after == 0 ? 0 : after + copysign(u, after);
            length += fabs(after) - fabs(before);
            count += (after != 0 ? 1.0 : 0.0) - (before != 0 ? 1.0 : 0.0);
            if (averaged)
                owed[k] = PASTE(share, vector, ISA)(held[k], now->a, now->au) -
                          PASTE(share, vector, ISA)(old, now->a, now->au);
        }
        for (ptrdiff_t k = 0; k < size; k++) {
            v[index[k]] = held[k];
            if (averaged) sum[index[k]] -= owed[k];
        }
        /* |B| = |v| + u where it is not 0, and so B^2 = v^2 + 2 u |v| + u^2 */
        const double base = length + u * count, bases = grown + u * (2 * length + u * count);
        kept -= l1 * (base * now->p - count * now->pu) +
                0.5 * l2 * (bases * now->q - 2 * base * now->qu + count * now->quu);
    }
    if (C == 1) {
        z->room[0] = square[0];
        own.b[0] = b[0];
        own.b_sum[0] = b_sum[0];
    }
    for (ptrdiff_t c = 0; c < C; c++) {
        const ptrdiff_t m = z->model[c];
        z->penalty[m] += lags ? kept : 0.5 * z->strengths[4 * m] * penalty[c];
    }
}

static void NAME(walk)(const void *data, const void *indices, const void *indptr,
                       const uint32_t *order, ptrdiff_t first, ptrdiff_t n, ptrdiff_t n_rows,
                       ptrdiff_t t, int lags, const Lazy *z, const Walk *walk) {
    const int averaged = z->sum != NULL;
#define WALK(C, lags, averaged) \
    NAME(walk_rows)(data, indices, indptr, order, first, n, n_rows, t, z, walk, C, lags, averaged)
    if (z->n_columns > 1) WALK(z->n_columns, 0, averaged);
    else if (lags && averaged) WALK(1, 1, 1);
    else if (lags) WALK(1, 1, 0);
    else if (averaged) WALK(1, 0, 1);
    else WALK(1, 0, 0);
#undef WALK
}

#define TABLE_(t, i, isa) sparse_##t##_##i##_##isa
#define TABLE(t, i, isa) TABLE_(t, i, isa)
UNUSED static const SparseLoops TABLE(T, I, ISA) = {
    NAME(scores),        NAME(gradient), NAME(straight), NAME(lazy_scores),
    NAME(lazy_gradient), NAME(walk),     NAME(prefetch), NAME(prefetch_coefficients),
    NAME(touched),       NAME(pair_scores), NAME(pair_gradient),
};
#undef TABLE
#undef TABLE_
#undef EACH_NONZERO
#undef BLOCK
#undef FEW
#undef AHEAD
#undef LONG
#undef LANES
#undef EACH_LANE
#undef IN_LANES
#undef NAME
#undef PASTE4
#undef PASTE4_
