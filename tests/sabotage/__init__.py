"""Sabotages of the live stack: each spoils one thing, and the tests of an obligation have to notice.

    nox -s sabotage

starts a stack, and for each sabotage: applies it, runs the obligation's tests, which must fail, mends it, and
runs them again, which must pass. A new one is an entry in the tuple SABOTAGES of the module of its subject;
a new subject is a new module with such a tuple.
"""
