"""Work in another process: its answer, its refusal, and what happens where it dies."""

import os
import unittest

from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.processes import another_process, cores


def answered(of):
    """This process's number and what it was given, or a refusal; no answer in a child of process ``of``."""
    if of == "refused":
        raise InputRefused("no-such", "nothing is called {name}", name=of)
    if of == os.getppid():
        os._exit(9)
    return os.getpid(), of


class AnotherProcessTest(unittest.TestCase):
    def test_its_answer_and_its_refusal_come_back(self):
        with another_process(answered, "given") as answer, another_process(answered, "refused") as refusal:
            number, given = answer()
            self.assertNotEqual(number, os.getpid())
            self.assertEqual(given, "given")
            with self.assertRaises(InputRefused) as caught:
                refusal()
        self.assertEqual((caught.exception.code, caught.exception.message), ("no-such", "nothing is called refused"))

    def test_where_it_dies_the_work_is_done_here(self):
        with another_process(answered, os.getpid()) as answer:
            self.assertEqual(answer(), (os.getpid(), os.getpid()))

    def test_this_machine_has_cores(self):
        self.assertTrue(1 <= cores() <= os.cpu_count())


if __name__ == "__main__":
    unittest.main()
