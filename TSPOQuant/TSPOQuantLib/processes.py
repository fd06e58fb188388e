"""Work in another process of ours, where the machine has a core for it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from .messages import InputRefused

Given = TypeVar("Given")
Answer = TypeVar("Answer")


def cores() -> int:
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def later_interrupt() -> Iterator[None]:
    """Keep a Ctrl-C waiting until the block ends; processes and threads started in it never see one.

    A terminal sends Ctrl-C to them all, and each would end with a traceback of its own.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # when multiprocessing starts it, it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def another_process(work: Callable[[Given], Answer], given: Given) -> Iterator[Callable[[], Answer]]:
    """Start ``work(given)`` in a process of its own; the block is handed a function that waits for its answer.

    What it refuses is raised where the answer is asked for. Where it ends without one, as the system ends a process
    for want of memory, the work is done here instead. It is stopped where the block ends without having asked.
    """
    context = get_context("spawn")  # the threads of SimpleITK and OpenBLAS are not there in a fork
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, work, given), daemon=True)
    with later_interrupt():
        process.start()
    sender.close()

    def answer() -> Answer:
        try:
            answer = receiver.recv()
        except EOFError:
            return work(given)
        if isinstance(answer, InputRefused):
            raise answer
        answered: Answer = answer
        return answered

    try:
        yield answer
    finally:
        process.kill()
        process.join()
        receiver.close()


def _answer(sender: Connection, work: Callable[[Any], object], given: object) -> None:
    try:
        answer = work(given)
    except InputRefused as refused:
        answer = refused
    sender.send(answer)
