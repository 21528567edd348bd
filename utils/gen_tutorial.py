#!/usr/bin/env python3
"""Fills the listings of docs/tutorial.md with what the compiler really prints.

The page holds markers, invisible to its reader:

    <!-- run: COMMAND -->          shows the command and its output
    <!-- show: COMMAND -->         shows the output alone
    <!-- fails: COMMAND -->        the same as run, for a command that must fail
    <!-- end -->                   ends the listing; what lies between is replaced

A marker may go on with filters, which trim the output:

    | keep REGEX .. REGEX          lines from the first match to the next match of
                                   the second; may be repeated, in order
    | drop REGEX                   leaves lines out that match
    | after REGEX                  leaves out everything up to the first match

Left-out lines become one "..." each time, and overlong lines are wrapped.
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
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
LISTING = re.compile(r"(<!-- (run|show|fails): (.*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
WIDTH = 100


def fail(message):
    sys.exit(f"error: {message}")


def first_match(lines, regex, start):
    for i in range(start, len(lines)):
        if re.search(regex, lines[i]):
            return i
    fail(f"no line of the output from line {start + 1} on matches '{regex}'")


def keep_ranges(lines, ranges):
    """The lines of the ranges, with an ellipsis for each gap."""
    kept, at = [], 0
    for first, last in ranges:
        begin = first_match(lines, first, at)
        end = first_match(lines, last, begin)
        if begin > at:
            kept.append(indent_of(lines[begin]) + "...")
        kept += lines[begin : end + 1]
        at = end + 1
    if at < len(lines):
        kept.append("...")
    return kept


def indent_of(line):
    return line[: len(line) - len(line.lstrip())]


def wrap(line):
    """Broken at spaces; what follows is indented further, which MLIR does not mind."""
    return textwrap.wrap(
        line.lstrip(), WIDTH, initial_indent=indent_of(line), subsequent_indent=indent_of(line) + "    ",
        break_long_words=False, break_on_hyphens=False,
    ) or [""]


def trim(output, filters):
    lines = [line.rstrip() for line in output.strip("\n").split("\n")]
    ranges = []
    for text in filters:
        verb, _, argument = text.partition(" ")
        if verb == "drop":
            lines = [line for line in lines if not re.search(argument, line)]
        elif verb == "after":
            lines = lines[first_match(lines, argument, 0) + 1 :]
        elif verb == "keep":
            first, _, last = argument.partition(" .. ")
            ranges.append((first, last or first))
        else:
            fail(f"unknown filter '{text}': expected keep, drop or after")
    if ranges:
        lines = keep_ranges(lines, ranges)
    return [part for line in lines for part in wrap(line)]


def run(command, must_fail, environment):
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    if (done.returncode != 0) != must_fail:
        fail(f"'{command}' exited with {done.returncode}:\n{done.stderr}")
    return done.stdout or done.stderr


def render(page, environment):
    def replace(match):
        marker, verb, body, _, end = match.groups()
        command, *filters = [part.strip() for part in re.split(r"\s\|\s(?=keep |drop |after )", body)]
        command = " ".join(command.split())
        lines = trim(run(command, verb == "fails", environment), filters)
        shown = "" if verb == "show" else f"```console\n$ {command}\n```\n"
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
