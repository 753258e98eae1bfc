"""Callers that do the same thing as fast as they can for a while, as threads of this process or as processes."""

import itertools
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from portal.cores import keep_to_one_core

# One caller's work: told its number, it gives back what to call again and again.
Caller = Callable[[int], Callable[[], None]]


def per_second(
    caller: Caller, *, callers: int, seconds: float, close: Callable[[], None], on_any_core: bool = False
) -> float:
    """Calls a second by so many threads, after each has made its first. They are on one core, as the web's are, but for
    those that only call the web."""
    counts = [0] * callers
    start, end = threading.Barrier(callers + 1), threading.Event()

    def run(number: int) -> None:
        if not on_any_core:
            keep_to_one_core(0)
        call = caller(number)
        call()
        start.wait()
        while not end.is_set():
            call()
            counts[number] += 1
        close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    start.wait()
    began, first = time.perf_counter(), sum(counts)
    time.sleep(seconds)
    done, spent = sum(counts) - first, time.perf_counter() - began
    end.set()
    for thread in threads:
        thread.join()
    return done / spent


def per_second_of_processes(caller: Caller, *, callers: int, seconds: float) -> float:
    """The same by so many processes forked from this one, which must have no connection open: each makes its own."""
    context = multiprocessing.get_context("fork")
    start, rates = context.Barrier(callers), context.SimpleQueue()

    def run(number: int) -> None:
        keep_to_one_core(number)
        call = caller(number)
        call()
        start.wait()
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            call()
            count += 1
        rates.put(count / (time.perf_counter() - began))

    processes = [context.Process(target=run, args=(number,)) for number in range(callers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert not any(process.exitcode for process in processes), "a caller failed"
    return sum(rates.get() for _ in processes)


def some_pairs(choices: Sequence[int], seed: int) -> Iterator[tuple[int, int]]:
    """Pairs of two different ones, without end, chosen before anything is measured."""
    chooser = random.Random(seed)
    return itertools.cycle([(a, b) for a, b in (chooser.sample(choices, 2) for _ in range(20_000))])
