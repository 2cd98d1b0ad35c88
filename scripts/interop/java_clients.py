"""Kafka's own Java clients 4.3, beyond the cases of all clients: the Admin API that needs neither security nor transactions; consumer and producer."""

import re
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from check import case, main
from drivers import HERE, Driven, java

# The cases are methods of one program, so that a JVM starts once.
for name in re.findall(r"^    static void (\w+)\(\) throws", (HERE / "java/Cases.java").read_text(), re.M):
    function = lambda context, name=name: context.client._call(name, {})
    function.__name__ = name
    case(function)


main("java clients", wrap=lambda context, _: Driven(context, java("Cases")))
