"""A small runner for named cases: each prints one line with its time, one that fails does not hide the others.

`@case` registers a function; `main` runs those whose names contain one of the words given. A case asks for the broker by its first
argument; the cases of one file share one broker unless they start their own.
"""

import argparse
import sys
import time
import traceback

from broker import Broker

_cases = []


def case(function):
    _cases.append(function)
    return function


class LeftOut(Exception):
    """A case that cannot be here, and why: neither passed nor failed."""


class Context:
    """What a case gets: the kind of broker under test and ways to start one. `settings` are keys for all of them."""

    def __init__(self, kind, shards):
        self.kind, self.shards = kind, shards
        self.settings = {}
        self._shared = None

    def broker(self, **options):
        """A broker of its own, not started yet."""
        if self.kind == "odradek":
            options.setdefault("shards", self.shards)
        else:
            # A JVM on a busy machine.
            options.setdefault("timeout", 180)
        if self.settings:
            options["overrides"] = self.settings | (options.get("overrides") or {})
        return Broker(self.kind, **options)

    @property
    def shared(self):
        if self._shared is None or not self._shared.alive():
            self._shared = self.broker().start()
        return self._shared

    def close(self):
        if self._shared is not None:
            self._shared.stop()
            self._shared.remove()


def equal(got, expected, what="value"):
    if got != expected:
        raise AssertionError(f"{what}: expected {short(expected)}, got {short(got)}")


def contains(text, part):
    if part not in text:
        raise AssertionError(f"expected {part!r} in:\n{short(text, 3000)}")


def absent(text, *parts):
    for part in parts:
        if part in text:
            raise AssertionError(f"did not expect {part!r} in:\n{short(text, 3000)}")


def short(value, limit=400):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[:limit // 2]} ... {text[-limit // 2:]}"


def main(name, options=None, wrap=lambda context, given: context):
    """Runs the cases. `options` adds to the parser; `wrap` makes what the cases get from the context. Without a name it is that of --client."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka", action="store_true", help="against the real Kafka instead of Odradek")
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("words", nargs="*", help="only the cases whose names contain one of these")
    if options:
        options(parser)
    given = parser.parse_args()
    name = name or given.client
    context = wrap(Context("kafka" if given.kafka else "odradek", given.shards), given)
    passed = failed = 0
    for function in _cases:
        if not given.words or any(w in function.__name__ for w in given.words):
            outcome = _run(name, function, context)
            passed += outcome is True
            failed += outcome is False
    try:
        context.close()
    except Exception as error:
        print(f"{name}: the broker's end: FAILED\n{error}")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def _run(name, function, context):
    """True, False, or None for a case that is left out."""
    began = time.monotonic()
    try:
        function(context)
    except LeftOut as why:
        print(f"{name}: {function.__name__}: left out: {why}")
        return None
    except Exception:
        print(f"{name}: {function.__name__}: FAILED ({time.monotonic() - began:.1f} s)")
        traceback.print_exc(file=sys.stdout)
        if context._shared is not None:
            print("the broker's last lines:\n" + context._shared.log_tail(15))
        return False
    finally:
        sys.stdout.flush()
    print(f"{name}: {function.__name__}: ok ({time.monotonic() - began:.1f} s)", flush=True)
    return True
