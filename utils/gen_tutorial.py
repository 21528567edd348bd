#!/usr/bin/env python3
"""Fills the listings of docs/tutorial.md with what the compiler really prints.

The page holds markers, invisible to its reader:

    <!-- run: COMMAND -->          shows the command and its output
    <!-- show: COMMAND -->         shows the output alone
    <!-- end -->                   ends the listing; what lies between is replaced

A marker may go on with filters, which trim the output:

    | keep REGEX .. REGEX          lines from the first match to the next match of
                                   the second; may be repeated, in order
    | drop REGEX                   leaves lines out that match

Left-out lines become one "..." each time, and overlong lines end in "...".
Commands run in the root of the repository; $DUMP is an empty directory that
lives as long as this program.

    utils/gen_tutorial.py            rewrites the page
    utils/gen_tutorial.py --check    changes nothing; fails where the page is old
"""

import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
LISTING = re.compile(r"(<!-- (run|show): (.*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
WIDTH = 110


def fail(message):
    sys.exit(f"error: {message}")


def keep_ranges(lines, ranges):
    """The lines of the ranges, with an ellipsis for each gap."""
    kept, at = [], 0
    for first, last in ranges:
        begin = next((i for i in range(at, len(lines)) if re.search(first, lines[i])), None)
        if begin is None:
            fail(f"no line of the output matches '{first}'")
        end = next((i for i in range(begin, len(lines)) if re.search(last, lines[i])), None)
        if end is None:
            fail(f"no line of the output after '{first}' matches '{last}'")
        if begin > at:
            kept.append(indent_of(lines[begin]) + "...")
        kept += lines[begin : end + 1]
        at = end + 1
    if at < len(lines):
        kept.append("...")
    return kept


def indent_of(line):
    return line[: len(line) - len(line.lstrip())]


def trim(output, filters):
    lines = [line.rstrip() for line in output.strip("\n").split("\n")]
    ranges = []
    for text in filters:
        verb, _, argument = text.partition(" ")
        if verb == "drop":
            lines = [line for line in lines if not re.search(argument, line)]
        elif verb == "keep":
            first, _, last = argument.partition(" .. ")
            ranges.append((first, last or first))
        else:
            fail(f"unknown filter '{text}': expected keep or drop")
    if ranges:
        lines = keep_ranges(lines, ranges)
    return [line if len(line) <= WIDTH else line[: WIDTH - 4] + " ..." for line in lines]


def run(command, environment):
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    if done.returncode != 0:
        fail(f"'{command}' exited with {done.returncode}:\n{done.stderr}")
    return done.stdout or done.stderr


def render(page, environment):
    def replace(match):
        marker, verb, body, _, end = match.groups()
        command, *filters = [part.strip() for part in re.split(r"\s\|\s(?=keep |drop )", body)]
        command = " ".join(command.split())
        lines = trim(run(command, environment), filters)
        shown = f"```console\n$ {command}\n```\n" if verb == "run" else ""
        return marker + shown + "```mlir\n" + "\n".join(lines) + "\n```\n" + end

    return LISTING.sub(replace, page)


def main():
    parser = argparse.ArgumentParser(description="Fill docs/tutorial.md with real output.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail where the page is old")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build directory")
    args = parser.parse_args()

    old = PAGE.read_text()
    with tempfile.TemporaryDirectory() as dump:
        path = os.pathsep.join([str(args.build.resolve() / "bin"), os.environ["PATH"]])
        new = render(old, dict(os.environ, PATH=path, DUMP=dump))
    if new == old:
        return
    if not args.check:
        PAGE.write_text(new)
        return
    sys.stdout.writelines(
        difflib.unified_diff(old.splitlines(True), new.splitlines(True), "docs/tutorial.md", "what it should be")
    )
    fail("docs/tutorial.md is out of date: run utils/gen_tutorial.py and commit the result")


if __name__ == "__main__":
    main()
