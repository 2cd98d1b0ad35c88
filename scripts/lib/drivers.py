"""The clients that have a driver (scripts/interop/drivers), and the command that starts it: built and installed here if it is not yet."""

import os
import pathlib
import shutil
import subprocess

from broker import ROOT, SCRATCH

HERE = ROOT / "scripts/interop/drivers"


def install(what):
    """The path that scripts/lib/install prints for a runtime."""
    return subprocess.run([str(ROOT / "scripts/lib/install"), what], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def go(package):
    """A driver in Go; Go's own cache knows what is to be compiled again."""
    binary = SCRATCH / "bin" / f"go-{package}"
    subprocess.run([install("go"), "build", "-o", str(binary), f"./{package}"], cwd=HERE / "go", check=True)
    return [binary]


COMMANDS = {
    "franz-go": lambda: go("franz"),
    "sarama": lambda: go("sarama"),
    "kafka-go": lambda: go("segmentio"),
}


def command(client):
    return COMMANDS[client]()
