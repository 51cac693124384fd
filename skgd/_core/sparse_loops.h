/* Loops over CSR rows of values T and indices I: included by vector_loops.h.
 *
 * Parameters of sparse rows lie by feature, W[j * C + c], so that all columns of a
 * non-zero share a cache line.
 */

#define PASTE4_(a, b, c, e) a##_##b##_##c##_##e
#define PASTE4(a, b, c, e) PASTE4_(a, b, c, e)
#define NAME(f) PASTE4(f, T, I, ISA)
#define BLOCK 4
#define EACH_NONZERO(i, k) \
    const ptrdiff_t row = order ? (ptrdiff_t)order[first + (i)] : first + (i); \
    for (ptrdiff_t k = ((const I *)indptr)[row]; k < ((const I *)indptr)[row + 1]; k++)

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
        for (ptrdiff_t c = 0; c < C; c++) z[c] = b ? b[c] : 0;
        EACH_NONZERO(i, k) {
            const double *w = W + index[k] * C;
            const double value = (double)x[k];
            for (ptrdiff_t c = 0; c < C; c++) z[c] += value * w[c];
        }
    }
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
        const double *slope = D + i * C;
        if (C == 1) {
            const double k1 = slope[0];
            if (k1 == 0) continue;
            if (!change && !H) {
                EACH_NONZERO(i, k) G[index[k]] += k1 * (double)x[k];
                continue;
            }
            const ptrdiff_t row = order ? (ptrdiff_t)order[first + i] : first + i;
            ptrdiff_t k = ((const I *)indptr)[row];
            const ptrdiff_t end = ((const I *)indptr)[row + 1];
            /* four sums side by side, because one would wait for each addition; the indices of
             * a row differ, so that four may be loaded before one is stored */
            double grown[4] = {0, 0, 0, 0};
            const double part = H ? share[0] : 0;
            for (; k + 4 <= end; k += 4) {
                double *g[4], old[4], add[4];
                for (int q = 0; q < 4; q++) {
                    g[q] = G + index[k + q];
                    old[q] = *g[q];
                    add[q] = k1 * (double)x[k + q];
                }
                for (int q = 0; q < 4; q++) {
                    *g[q] = old[q] + add[q];
                    grown[q] += add[q] * (2 * old[q] + add[q]);
                }
                if (H)
                    for (int q = 0; q < 4; q++) H[index[k + q]] += part * add[q];
            }
            for (; k < end; k++) {
                double *g = G + index[k], add = k1 * (double)x[k];
                grown[0] += add * (2 * g[0] + add);
                g[0] += add;
                if (H) H[index[k]] += part * add;
            }
            if (change) change[0] += (grown[0] + grown[1]) + (grown[2] + grown[3]);
            continue;
        }
        EACH_NONZERO(i, k) {
            double *g = G + index[k] * C;
            const double value = (double)x[k];
            if (change)
                for (ptrdiff_t c = 0; c < C; c++) {
                    double add = value * slope[c];
                    change[c] += add * (2 * g[c] + add);
                }
            for (ptrdiff_t c = 0; c < C; c++) g[c] += value * slope[c];
            if (H)
                for (ptrdiff_t c = 0; c < C; c++)
                    H[index[k] * C + c] += share[c] * (value * slope[c]);
        }
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
        EACH_NONZERO(i, k) {
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
                    PASTE(bury, vector, ISA)(index[k + q], t, z);
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
        EACH_NONZERO(i, k) {
            const ptrdiff_t j = index[k];
            if (PASTE(some_gone, vector, ISA)(z->v + j * C, room, 1, C))
                PASTE(bury, vector, ISA)(j, t, z);
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

/* Ask for the first lines of a row, which the next ones follow by themselves, and for where a
 * later row begins. */
static void NAME(prefetch)(const void *data, const void *indices, const void *indptr,
                           ptrdiff_t i, ptrdiff_t later) {
    const ptrdiff_t start = ((const I *)indptr)[i], end = ((const I *)indptr)[i + 1];
    const ptrdiff_t far = end < start + 64 ? end : start + 64;
    for (ptrdiff_t k = start; k < far; k += 64 / sizeof(T)) PREFETCH((const T *)data + k);
    for (ptrdiff_t k = start; k < far; k += 64 / sizeof(I)) PREFETCH((const I *)indices + k);
    if (far > start) { /* a row seldom begins with a line */
        PREFETCH((const T *)data + far - 1);
        PREFETCH((const I *)indices + far - 1);
    }
    PREFETCH((const I *)indptr + later);
}

#define TABLE_(t, i, isa) sparse_##t##_##i##_##isa
#define TABLE(t, i, isa) TABLE_(t, i, isa)
UNUSED static const SparseLoops TABLE(T, I, ISA) = {
    NAME(scores),   NAME(gradient), NAME(straight),    NAME(lazy_scores),   NAME(lazy_gradient),
    NAME(prefetch), NAME(touched),  NAME(pair_scores), NAME(pair_gradient),
};
#undef TABLE
#undef TABLE_
#undef EACH_NONZERO
#undef BLOCK
#undef NAME
#undef PASTE4
#undef PASTE4_
