/* Coefficients that are brought up to date only when a row needs them: included by
 * vector_loops.h. See lazy.pyx for the derivation, and lazy_rules.pyx for roots.
 */

/* What a coefficient with |v_s| = base - u_s adds to the penalty, and to the average, from step 0 up
 * to the step of x. */
INLINE double NAME(cost)(double base, const LazyStep *x, const double *strengths) {
    return strengths[1] * (base * x->p - x->pu) +
           0.5 * strengths[0] * (base * base * x->q - 2 * base * x->qu + x->quu);
}

/* Signed, and rounded the same wherever it is taken, so that what comes and goes leaves an exact 0. */
INLINE double NAME(share)(double B, double a, double au) {
    return B == 0 ? 0 : copysign(fabs(B) * a - au, B);
}

/* The last step up to t at which base - u_s is above 0; it is at `low`. u is about a straight line,
 * so that guesses are in turn where this would cross base, next to that, and half-way. */
INLINE ptrdiff_t NAME(last_above)(double base, ptrdiff_t low, ptrdiff_t t, const LazyStep *table) {
    if (!(base <= table[t].shrink)) return t;
    ptrdiff_t end = t, next = 0;
    for (int turn = 0; end - low > 1; turn = turn == 2 ? 0 : turn + 1) {
        const double u = table[low].shrink, share = (base - u) / (table[end].shrink - u);
        ptrdiff_t guess = low + (ptrdiff_t)((turn ? 0.5 : share) * (double)(end - low));
        guess = turn == 1 ? next : guess;
        guess = guess <= low ? low + 1 : guess >= end ? end - 1 : guess;
        if (base <= table[guess].shrink) next = (end = guess) - 1;
        else next = (low = guess) + 1;
    }
    return low;
}

/* What thresholds of u in total have taken from B, so that v = B - taken; a NaN stays one. */
INLINE double NAME(taken)(double B, double u) {
    double held = B < -u ? -u : B;
    return held > u ? u : held;
}

INLINE double NAME(left)(double B, double u) { return B - NAME(taken)(B, u); }

/* Enter a coefficient in the penalty and the average, up to step t or to where it became 0. */
INLINE void NAME(settle)(double B, double *sum, ptrdiff_t c, ptrdiff_t t, const Lazy *z) {
    const ptrdiff_t m = z->model[c];
    const LazyStep *table = z->table + m * z->n_table;
    const double base = fabs(B);
    const LazyStep *x = table + NAME(last_above)(base, 0, t, table);
    if (sum) *sum += NAME(share)(B, x->a, x->au);
    z->penalty[m] += NAME(cost)(base, x, z->strengths + 4 * m);
}

/* Settle what has become 0 by step t, of the columns first:last: from now on it is written as 0. */
static void NAME(bury)(ptrdiff_t j, ptrdiff_t first, ptrdiff_t last, ptrdiff_t t, const Lazy *z) {
    for (ptrdiff_t c = first; c < last; c++) {
        const ptrdiff_t at = j * z->n_columns + c;
        const double B = z->v[at];
        if (B == 0 || !(fabs(B) <= z->table[z->model[c] * z->n_table + t].shrink)) continue;
        NAME(settle)(B, z->sum ? z->sum + at : NULL, c, t, z);
        z->v[at] = 0;
    }
}

/* Settle the listed features, or n of them where list is NULL, at step t: from B to v. */
static void NAME(open)(const int32_t *list, ptrdiff_t n, ptrdiff_t t, const Lazy *z) {
    const Lazy own = *z; /* stores can't change it, so that it may stay in registers */
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t c = 0; c < own.n_columns; c++) {
            const ptrdiff_t at = (list ? list[i] : i) * own.n_columns + c;
            const double B = own.v[at];
            if (B == 0) continue;
            NAME(settle)(B, own.sum ? own.sum + at : NULL, c, t, &own);
            own.v[at] = NAME(left)(B, own.table[own.model[c] * own.n_table + t].shrink);
        }
}

/* From v to B after a gradient at step t. Bounds act once, here: later a coefficient only nears
 * zero. */
static void NAME(shut)(const int32_t *list, ptrdiff_t n, ptrdiff_t t, const Lazy *z) {
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t c = 0; c < z->n_columns; c++) {
            const ptrdiff_t m = z->model[c], at = (list ? list[i] : i) * z->n_columns + c;
            const LazyStep *now = z->table + m * z->n_table + t;
            const double *strengths = z->strengths + 4 * m, v = z->v[at];
            const double scale = z->scale[m * z->n_table + t + 1];
            const double w = NAME(left)(v, now[1].shrink - now->shrink) * scale;
            double held = w < strengths[2] ? strengths[2] : w;
            held = held > strengths[3] ? strengths[3] : held;
            z->v[at] = 0;
            if (held == 0) continue;
            const double base = held == w ? fabs(v) + now->shrink
                                          : fabs(held / scale) + now[1].shrink;
            z->v[at] = copysign(base, held);
            z->penalty[m] -= NAME(cost)(base, now, strengths);
            if (z->sum) z->sum[at] -= NAME(share)(z->v[at], now->a, now->au);
        }
}

/* What a step needs of a column: u, and for the average a and au; then zeros, for what
 * |B|, B^2 and the count of non-zeros grow by. */
INLINE void NAME(begin_step)(ptrdiff_t t, const Lazy *z, double *room) {
    const ptrdiff_t C = z->n_columns;
    for (ptrdiff_t c = 0; c < C; c++) {
        const LazyStep *x = z->table + z->model[c] * z->n_table + t;
        room[c] = x->shrink;
        room[C + c] = x->a;
        room[2 * C + c] = x->au;
        room[3 * C + c] = room[4 * C + c] = room[5 * C + c] = 0;
    }
}

/* Of the penalty up to step t, less than was counted on if coefficients grew just now. */
INLINE void NAME(end_step)(ptrdiff_t t, const Lazy *z, const double *room) {
    const ptrdiff_t C = z->n_columns;
    for (ptrdiff_t c = 0; c < C; c++) {
        const ptrdiff_t m = z->model[c];
        const LazyStep *x = z->table + m * z->n_table + t;
        const double *grown = room + 3 * C + c;
        z->penalty[m] -=
            z->strengths[4 * m + 1] * (grown[0] * x->p - grown[2 * C] * x->pu) +
            0.5 * z->strengths[4 * m] *
                (grown[C] * x->q - 2 * grown[0] * x->qu + grown[2 * C] * x->quu);
    }
}

/* Add to n coefficients v, kept as B; owed gets what that takes from the average, where it is not
 * NULL, and grown what |B|, B^2 and the count of non-zeros grow by. The step of a number is `by`
 * apart from that of the next one: 1, or 0 where all have the same. */
INLINE void NAME(push)(double *restrict B, const double *restrict add, double *restrict owed,
                       const double *restrict u, const double *restrict a,
                       const double *restrict au, int by, double *restrict grown,
                       ptrdiff_t n) {
    for (ptrdiff_t q = 0; q < n; q++) {
        const double old = B[q], before = NAME(taken)(old, u[by * q]), v = old - before + add[q];
        const double after = v == 0 ? 0 : copysign(u[by * q], v), now = v + after;
        B[q] = now;
        if (owed)
            owed[q] = NAME(share)(now, a[by * q], au[by * q]) -
                      NAME(share)(old, a[by * q], au[by * q]);
        grown[q] += fabs(now) - fabs(old);
        grown[n + q] += now * now - old * old;
        grown[2 * n + q] += (now != 0 ? 1.0 : 0.0) - (old != 0 ? 1.0 : 0.0);
    }
}

/* Whether thresholds of u in total have made some of n coefficients 0 since they were written. */
INLINE int NAME(some_gone)(const double *B, const double *u, int by, ptrdiff_t n) {
    int64_t gone = 0;
    for (ptrdiff_t q = 0; q < n; q++)
        gone |= (fabs(B[q]) <= u[by * q] ? 1 : 0) & (B[q] != 0 ? 1 : 0);
    return gone != 0;
}

/* Bring the listed features, or n of them where list is NULL, to step t. Unlike above, what is
 * stored is w itself, at the step last[j]; it is scale * v / root, and bounds hold. */
static void NAME(bring)(const int32_t *list, ptrdiff_t n, ptrdiff_t t, const Lazy *z) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t j = list ? list[i] : i, s = z->last[j];
        if (s == t) continue;
        z->last[j] = (int32_t)t;
        for (ptrdiff_t c = 0; c < z->n_columns; c++) {
            const ptrdiff_t m = z->model[c], at = j * z->n_columns + c;
            if (z->v[at] == 0) continue;
            const LazyStep *table = z->table + m * z->n_table;
            const double *scale = z->scale + m * z->n_table;
            const double root = z->root ? NAME(to_power)(z->root[at], z->power[2 * m]) +
                                              z->power[2 * m + 1]
                                        : 1.0;
            const double v = z->v[at] * root / scale[s], base = fabs(v) + table[s].shrink;
            const ptrdiff_t end = NAME(last_above)(base, s, t, table);
            const double *strengths = z->strengths + 4 * m;
            z->v[at] = end < t ? 0 : copysign(base - table[t].shrink, v) * scale[t] / root;
            z->penalty[m] += (NAME(cost)(base, table + end, strengths) -
                              NAME(cost)(base, table + s, strengths)) /
                             root; /* where there are roots there is no l2 */
            if (z->sum)
                z->sum[at] += copysign(base * (table[end].a - table[s].a) -
                                           (table[end].au - table[s].au), v) / root;
        }
    }
}
