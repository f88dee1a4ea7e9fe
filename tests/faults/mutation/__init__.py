"""Faults made by machine: each changes one small thing of a module; the tests that run the changed line must notice.

`python -m tests.faults.mutation` runs them (docs/adr/0030). cosmic-ray makes the mutants, in an environment of its own;
they are tried here: a process that has collected the tests forks a child for each, which replaces the old function with
the changed one and runs the tests until one fails.
"""
