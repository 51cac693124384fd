"""Threads: shares of work, and matrix products that are the same for any number of them."""

import os
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from functools import cache
from itertools import islice

from threadpoolctl import ThreadpoolController


@cache
def _waiting():
    """Threads that wait for work, as to start some takes as long as a pass over megabytes."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="skgd")


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_waiting.cache_clear)


def shared_out(function, shares):
    """What a function makes of each share, in order: of the first in this thread, of the others in
    threads that waited. A share must not share out work itself."""
    first, *others = shares
    if not others:
        return [function(first)]
    under_way = [_waiting().submit(function, share) for share in others]
    try:
        return [function(first), *(one.result() for one in under_way)]
    finally:
        wait(under_way)  # before their buffers may go


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


def blas_threads(n_threads):
    """A context in which matrix products take no more threads than these."""
    if all(library.num_threads == n_threads for library in _blas().lib_controllers):
        return nullcontext()
    return _blas().limit(limits=n_threads)


def in_order(function, items):
    """What a function makes of each item, in order, by as many threads as matrix products may take.
    Each product takes one meanwhile, as what it rounds would depend on their number."""
    n_threads = max((library.num_threads for library in _blas().lib_controllers), default=1)
    if n_threads == 1:
        yield from map(function, items)
        return
    items = iter(items)
    with blas_threads(1):
        while some := list(islice(items, n_threads)):  # no more results are held than these
            yield from shared_out(function, some)
