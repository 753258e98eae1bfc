"""Callers of one process share their work: nobody waits for ever, everybody gets their own answers."""

import signal
import threading
from collections.abc import Callable, Sequence

import pytest

from ledger.door import combining
from ledger.door.combining import Combiner
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class Work:
    """Doubles each number; the first batch waits until told, so that others come meanwhile."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: list[str] = []
        self.go = threading.Event()
        self.fails: Callable[[Sequence[int]], BaseException | None] = lambda _: None

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.threads.append(threading.current_thread().name)
        self.go.wait(20)
        error = self.fails(numbers)
        if error is not None:
            raise error
        return [2 * number for number in numbers]


def submitted(combiner: Combiner[int, int], number: int, answers: dict[int, object]) -> threading.Thread:
    def run() -> None:
        try:
            answers[number] = combiner.submit([number])
        except (ValueError, ConnectionError, RuntimeError) as error:
            answers[number] = error

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def crowd(work: Work, combiner: Combiner[int, int], count: int) -> dict[int, object]:
    """The first at work, the others waiting; then all go on."""
    answers: dict[int, object] = {}
    threads = [submitted(combiner, 0, answers)]
    wait_until(lambda: work.batches == [[0]])
    threads += [submitted(combiner, number, answers) for number in range(1, count)]
    wait_until(lambda: len(combiner._queue) == count - 1)
    work.go.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return answers


def test_who_is_alone_works_in_their_own_thread():
    work = Work()
    work.go.set()
    combiner = Combiner(work)
    assert [combiner.submit([n, n + 1]) for n in range(5)] == [[2 * n, 2 * n + 2] for n in range(5)]
    assert set(work.threads) == {threading.current_thread().name}


def test_who_comes_meanwhile_is_worked_on_as_one_by_the_clerk():
    work = Work()
    answers = crowd(work, Combiner(work), 20)
    assert answers == {n: [2 * n] for n in range(20)}
    assert [sorted(batch) for batch in work.batches] == [[0], list(range(1, 20))]
    assert work.threads[1] == "clerk"


def test_many_callers_again_and_again_get_each_their_own():
    work = Work()
    work.go.set()
    combiner = Combiner(work)
    wrong: list[int] = []

    def call(first: int) -> None:
        for number in range(first, first + 200):
            wrong.extend([] if combiner.submit([number, -number]) == [2 * number, -2 * number] else [number])

    threads = [threading.Thread(target=call, args=(1000 * n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not wrong
    assert sum(len(batch) for batch in work.batches) == 2 * 16 * 200


def test_one_request_that_fails_fails_nobody_else():
    work = Work()
    work.fails = lambda numbers: ValueError("seven") if 7 in numbers else None
    answers = crowd(work, Combiner(work), 20)
    assert isinstance(answers.pop(7), ValueError)
    assert answers == {n: [2 * n] for n in range(20) if n != 7}


def test_a_clerk_that_is_stopped_leaves_nobody_waiting():
    work = Work()
    work.fails = lambda numbers: SystemExit() if len(numbers) > 1 else None
    combiner = Combiner(work)
    answers = crowd(work, combiner, 5)
    assert answers == {n: [2 * n] for n in range(5)}
    assert combiner.submit([9]) == [18]


def test_where_a_lost_connection_leaves_it_open_nothing_is_asked_again(monkeypatch):
    monkeypatch.setattr(combining, "_has_done_nothing", lambda: False)
    work = Work()
    work.fails = lambda numbers: ConnectionError() if len(numbers) > 1 else None
    answers = crowd(work, Combiner(work), 5)
    assert answers.pop(0) == [0]
    assert all(isinstance(answer, ConnectionError) for answer in answers.values())
    assert len(work.batches) == 2


def test_without_threads_to_be_had_the_caller_goes_on(monkeypatch):
    work = Work()
    combiner = Combiner(work)
    monkeypatch.setattr(combiner, "_clerk", None)

    class NoThread:
        def __init__(self, **_options: object) -> None:
            raise RuntimeError("can't start new thread")

    answers: dict[int, object] = {}
    threads = [submitted(combiner, 0, answers)]
    wait_until(lambda: work.batches == [[0]])
    threads += [submitted(combiner, number, answers) for number in range(1, 5)]
    wait_until(lambda: len(combiner._queue) == 4)
    monkeypatch.setattr(combining.threading, "Thread", NoThread)
    work.go.set()
    for thread in threads:
        thread.join(20)
    assert answers == {n: [2 * n] for n in range(5)}


class Interrupted(Exception):
    """What a signal's handler raises."""


def test_who_is_called_away_from_waiting_leaves_nobody_waiting():
    """Only the main thread can be, by a signal: others are woken in turn, each by the one before."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    work, answers = Work(), dict[int, object]()
    combiner = Combiner(work)
    threads = [submitted(combiner, 0, answers)]
    wait_until(lambda: work.batches == [[0]])
    threads += [submitted(combiner, number, answers) for number in range(1, 4)]
    wait_until(lambda: len(combiner._queue) == 3)

    def call_away() -> None:
        wait_until(lambda: len(combiner._queue) == 4)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    caller = threading.Thread(target=call_away)
    try:
        caller.start()
        with pytest.raises(Interrupted):
            combiner.submit([9])
    finally:
        # In this order: a signal that comes late ends whoever has no handler for it any more.
        caller.join()
        signal.signal(signal.SIGUSR1, before)
    threads += [submitted(combiner, number, answers) for number in range(4, 7)]
    wait_until(lambda: len(combiner._queue) == 7)
    work.go.set()
    for thread in threads:
        thread.join(20)
    assert answers == {n: [2 * n] for n in range(7)}
    assert sorted(work.batches[1]) == [1, 2, 3, 4, 5, 6, 9]


def test_an_idle_clerk_goes_home_and_another_comes(monkeypatch):
    monkeypatch.setattr(combining, "IDLE_SECONDS", 0.05)
    work = Work()
    combiner = Combiner(work)
    crowd(work, combiner, 5)
    wait_until(lambda: not combiner._has_clerk)
    work.go.clear()
    work.batches.clear()
    assert crowd(work, combiner, 5) == {n: [2 * n] for n in range(5)}
