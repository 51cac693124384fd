"""Threads of matrix products, and sums of them that are the same for any number of threads."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache
from itertools import islice

from threadpoolctl import ThreadpoolController


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


def blas_threads(n_threads):
    """A context in which matrix products take no more threads than these."""
    if all(library.num_threads == n_threads for library in _blas().lib_controllers):
        return nullcontext()
    return _blas().limit(limits=n_threads)


def in_order(function, items):
    """What a function makes of each item, in their order, by as many threads as matrix products may
    take. Each product takes one meanwhile, as what it rounds would depend on their number."""
    n_threads = max((library.num_threads for library in _blas().lib_controllers), default=1)
    if n_threads == 1:
        yield from map(function, items)
        return
    items = iter(items)
    with ThreadPoolExecutor(n_threads) as pool, blas_threads(1):
        while some := list(islice(items, n_threads)):  # no more results are held than these
            yield from pool.map(function, some)
