from libc.stdint cimport uint32_t

from .columns cimport Columns


cdef extern from "vector.h" nogil:
    ctypedef struct LazyStep:
        double shrink, a, au, p, pu, q, qu, quu

    ctypedef struct Lazy:
        double* v
        double* sum
        const LazyStep* table
        const double* scale
        Py_ssize_t n_table, n_columns
        const int* model
        const double* strengths
        double* penalty
        double* room
        int* last
        const double* root
        const double* power

    ctypedef double (*Scalar)(double y, double z, double parameter,
                              double* value) noexcept nogil

    ctypedef struct Walk:
        const double* y
        const double* rates
        const double* scale
        const double* share
        double* value
        double* held
        Py_ssize_t longest
        double* b
        double* b_sum
        double b_moves
        Scalar scalar
        double parameter
        Py_ssize_t first_averaged

    cdef enum:
        STRIDE

    ctypedef struct DenseLoops:
        void (*scores)(const void*, const uint32_t*, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                       Py_ssize_t, const double*, const double*, Py_ssize_t,
                       double*) noexcept nogil
        void (*gradient)(const void*, const uint32_t*, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                         Py_ssize_t, const double*, Py_ssize_t, double*, double*) noexcept nogil
        double (*dot)(const double*, const void*, Py_ssize_t) noexcept nogil
        void (*steps)(double*, const void*, const void*, const void*, const double*,
                      const double*, Py_ssize_t, Py_ssize_t, double*, double*) noexcept nogil
        const void* (*widen)(const void*, Py_ssize_t, double*) noexcept nogil

    ctypedef struct SparseLoops:
        void (*scores)(const void*, const void*, const void*, const uint32_t*, Py_ssize_t,
                       Py_ssize_t, const double*, const double*, Py_ssize_t,
                       double*) noexcept nogil
        void (*gradient)(const void*, const void*, const void*, const uint32_t*, Py_ssize_t,
                         Py_ssize_t, const double*, Py_ssize_t, double*, double*,
                         double*, double*, const double*) noexcept nogil
        double (*straight)(const void*, const void*, const void*, const uint32_t*, Py_ssize_t,
                           Py_ssize_t, const double*, const double*, const double*, const double*,
                           const double*, double*, double*) noexcept nogil
        void (*lazy_scores)(const void*, const void*, const void*, const uint32_t*, Py_ssize_t,
                            Py_ssize_t, Py_ssize_t, const Lazy*, double*) noexcept nogil
        void (*lazy_gradient)(const void*, const void*, const void*, const uint32_t*, Py_ssize_t,
                              Py_ssize_t, const double*, Py_ssize_t, const Lazy*) noexcept nogil
        void (*walk)(const void*, const void*, const void*, const uint32_t*, Py_ssize_t,
                     Py_ssize_t, Py_ssize_t, Py_ssize_t, int, const Lazy*,
                     const Walk*) noexcept nogil
        void (*prefetch)(const void*, const void*, const void*, Py_ssize_t,
                         Py_ssize_t) noexcept nogil
        void (*prefetch_coefficients)(const void*, const void*, Py_ssize_t, const double*,
                                      Py_ssize_t) noexcept nogil
        Py_ssize_t (*touched)(const void*, const void*, const uint32_t*, Py_ssize_t, Py_ssize_t,
                              int*, int, int*) noexcept nogil
        void (*pair_scores)(const void*, const void*, const void*, const uint32_t*, Py_ssize_t,
                            Py_ssize_t, const double*, const double*, Py_ssize_t, Py_ssize_t,
                            double*) noexcept nogil
        void (*pair_gradient)(const void*, const void*, const void*, const uint32_t*,
                              Py_ssize_t, Py_ssize_t, const double*, const double*, Py_ssize_t,
                              Py_ssize_t, double*, double*) noexcept nogil

    ctypedef void (*Rule)(double* w, const double* g, double* s0, double* s1, double* s2,
                          double* steps, Py_ssize_t n, double rate, Py_ssize_t t,
                          const double* settings, const double* numbers) noexcept nogil

    ctypedef struct VectorLoops:
        void (*combine)(double*, const double*, double, double, Py_ssize_t) noexcept nogil
        void (*norms)(const double*, Py_ssize_t, double*, double*) noexcept nogil
        void (*prox)(double*, const double*, double, double, double, double,
                     Py_ssize_t) noexcept nogil
        void (*average)(double*, const double*, double, Py_ssize_t) noexcept nogil
        void (*logistic)(const double*, Py_ssize_t, double*, double*) noexcept nogil
        void (*softmax)(const double*, Py_ssize_t, Py_ssize_t, Py_ssize_t, double*,
                        double*, double*) noexcept nogil
        Rule sgd, adam, adamw, adagrad, adadelta, rmsprop, nadam, radam, adamax, lion, ftrl
        void (*open)(const int*, Py_ssize_t, Py_ssize_t, const Lazy*) noexcept nogil
        void (*shut)(const int*, Py_ssize_t, Py_ssize_t, const Lazy*) noexcept nogil
        void (*bring)(const int*, Py_ssize_t, Py_ssize_t, const Lazy*) noexcept nogil

    const VectorLoops* vector_loops()
    const DenseLoops* dense_loops(int)
    const SparseLoops* sparse_loops(int, int)
    void PREFETCH(const void*)
    void PREFETCH_LATER(const void*)


cdef struct Straight:
    # slopes that are bend * (score - aim) * weight, of the i-th row in order, of a row, of a row;
    # NULL is 1, 0 and 1
    const double* bend
    const double* aim
    const double* weight


cdef class Rows:
    cdef readonly Py_ssize_t n_rows, n_features, block_rows
    cdef readonly bint by_feature
    cdef int scores(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                    Py_ssize_t later, Columns columns, double* Z) except -1 nogil
    cdef int gradient(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                      Py_ssize_t later, const double* D, Columns columns, double* G,
                      double* gb) except -1 nogil
    cdef bint straight(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                       const Straight* slopes, Columns columns, double* G, double* gb,
                       double* loss) noexcept nogil


cdef class DenseRows(Rows):
    cdef readonly object X
    cdef const char* data
    cdef Py_ssize_t row_bytes
    cdef const DenseLoops* loops


cdef class SparseRows(Rows):
    cdef readonly object X
    cdef object arrays
    cdef readonly Py_ssize_t n_nonzero
    cdef const void* data
    cdef const void* indices
    cdef const void* indptr
    cdef const SparseLoops* loops
