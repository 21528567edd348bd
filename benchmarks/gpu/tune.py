#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds the fastest schedules by measuring, and writes them to the table that the
compiler reads (docs/tuning.md).

The compiler and the GPU may be on different machines, so there are three steps;
each goes on where it was interrupted:

    tune.py compile --compiler build/bin/diffattn-compile --target sm_90a --out DIR
    tune.py measure DIR --lib libdiffattn_runtime.so
    tune.py write DIR [--table lib/Target/GPU/ScheduleTable.json]

"tune.py all" with the options of all three takes them one after the other. What
is tuned are the shapes of prefill.py's cases. All cases of a class of shapes
choose one schedule together; another one for a length only where that is faster.

In DIR: NAME/SCHEDULE/ has a kernel and its manifest, or refused.txt;
measurements.jsonl has a line for each kernel and case.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import datetime
import hashlib
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Callable

import compile as kernel_sets

JOURNAL = "measurements.jsonl"
TABLE = pathlib.Path(__file__).parents[2] / "lib/Target/GPU/ScheduleTable.json"
FINALISTS, FINAL_ROUNDS = 4, 7
"""Schedules left for the last stage, and its rounds: whoever wins each of seven is
faster with 99% confidence."""
LENGTH_MARGIN = 1.01
"""A length gets a schedule of its own for a gain of so much."""


def slug(schedule: dict) -> str:
    """The name of a schedule's folder."""
    return "-".join(str(value) for value in schedule.values())


@contextlib.contextmanager
def progress(title: str, total: int):
    """A function that counts one more step, done with what it is given."""
    try:
        from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
        from rich.progress import BarColumn, TimeElapsedColumn, TimeRemainingColumn
    except ImportError:
        done = 0

        def step(text: str) -> None:
            nonlocal done
            done += 1
            print(f"{title} {done}/{total}: {text}", flush=True)

        yield step
        return
    columns = (SpinnerColumn(), TextColumn(title), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns) as bar:
        task = bar.add_task("", total=total)
        yield lambda text: bar.update(task, advance=1, description=text)


# Compiling. --------------------------------------------------------------------


def call_compiler(compiler: pathlib.Path, source: pathlib.Path, *arguments) -> str:
    """What the compiler says: its output, or raises its first error."""
    result = subprocess.run([compiler, source, *arguments], capture_output=True, text=True)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "error:" in line]
        raise RuntimeError(errors[0] if errors else f"exit status {result.returncode}")
    return result.stdout


def compile_candidate(options, source: pathlib.Path, schedule: dict) -> str:
    """The kernel in its folder, or there the reason why there is none."""
    folder = source.parent / slug(schedule)
    refused, manifest = folder / "refused.txt", folder / "manifest.json"
    newest = max((path.stat().st_mtime for path in (refused, manifest) if path.exists()), default=0)
    if newest < max(path.stat().st_mtime for path in (options.compiler, source)):
        folder.mkdir(exist_ok=True)
        for path in (refused, manifest):
            path.unlink(missing_ok=True)
        fields = [f"--{name.replace('_', '-')}={value}" for name, value in schedule.items()]
        try:
            call_compiler(options.compiler, source, f"--target={options.target}", "--emit=cubin", *fields,
                          "--no-fallback", f"--manifest={manifest}", f"-o={folder / 'kernel.cubin'}")  # fmt: skip
        except RuntimeError as error:
            refused.write_text(f"{error}\n")
    return f"{source.parent.name}/{folder.name}{' refused' if refused.exists() else ''}"


def compile_all(options) -> None:
    jobs = []
    for name, text in kernel_sets.prefill_set():
        if options.match not in name:
            continue
        source = options.folder / name / "kernel.mlir"
        source.parent.mkdir(parents=True, exist_ok=True)
        if not source.exists() or source.read_text() != text:
            source.write_text(text)
        listed = call_compiler(options.compiler, source, f"--target={options.target}", "--emit=schedules",
                               f"--schedule-table={options.schedule_table}")  # fmt: skip
        (choices,) = json.loads(listed)
        choices["schedules"] = choices["schedules"][: options.candidates]
        (source.parent / "schedules.json").write_text(json.dumps(choices, indent=1) + "\n")
        jobs += [(source, schedule) for schedule in choices["schedules"]]
    with progress("compiling", len(jobs)) as step, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(compile_candidate, options, *job) for job in jobs]
        for future in concurrent.futures.as_completed(running):
            step(future.result())


# What there is to choose from. -------------------------------------------------


@dataclass
class Group:
    """A class of shapes, and the schedules that all of its kernels compile with, the
    compiler's present choice first."""

    target: str
    shape: dict
    schedules: dict[str, dict]
    code: dict[str, dict[str, str]]
    """By kernel and schedule: the hash of the machine code."""


def read_groups(folder: pathlib.Path) -> list[Group]:
    groups: dict[str, Group] = {}
    for path in sorted(folder.glob("*/schedules.json")):
        choices = json.loads(path.read_text())
        schedules = {slug(schedule): schedule for schedule in choices["schedules"]}
        key = json.dumps(choices["shape"])
        group = groups.setdefault(key, Group(choices["target"], choices["shape"], schedules, {}))
        group.code[path.parent.name] = {
            name: hashlib.sha256((path.parent / name / "kernel.cubin").read_bytes()).hexdigest()[:16]
            for name in schedules if (path.parent / name / "manifest.json").exists()
        }  # fmt: skip
    for group in groups.values():
        drop_useless(group)
    return [group for group in groups.values() if group.schedules]


def drop_useless(group: Group) -> None:
    """Schedules that a kernel does not compile with, or that make the same code."""
    seen = set()
    for name in list(group.schedules):
        code = tuple(hashes.get(name) for hashes in group.code.values())
        if None in code or code in seen:
            del group.schedules[name]
        seen.add(code)


# The journal. ------------------------------------------------------------------


def read_journal(path: pathlib.Path) -> list[dict]:
    """Its records; a line cut short by the end of a process is none."""
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            records.append(json.loads(line))
    return records


def append_journal(path: pathlib.Path, records: list[dict]) -> None:
    is_cut = path.exists() and not path.read_bytes().endswith(b"\n")
    with open(path, "a") as file:
        file.write("\n" * is_cut + "".join(json.dumps(record) + "\n" for record in records))


class Journal:
    """What was measured on a device: records of a kernel in a case and a stage, and
    of kernels that are left out. New ones go to `keep` as well."""

    def __init__(self, device: str, records: list[dict], keep: Callable[[list[dict]], None]):
        self.device, self.keep = device, keep
        self.records = [record for record in records if record["device"] == device]

    def add(self, records: list[dict]) -> None:
        records = [{"device": self.device, **record} for record in records]
        self.records += records
        self.keep(records)

    def find(self, case: str, code: str, stage: str) -> dict | None:
        wanted = {"case": case, "code": code, "stage": stage}
        found = [r for r in self.records if wanted.items() <= r.items()]
        return found[-1] if found else None

    def left_out(self) -> dict[str, str]:
        return {r["code"]: r["left_out"] for r in self.records if "left_out" in r}


# Halving. ----------------------------------------------------------------------


def geometric_mean(values) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def plan(count: int) -> list[tuple[str, int, int]]:
    """Stages: name, schedules that take part, rounds."""
    stages = []
    while count > FINALISTS:
        stages.append((str(count), count, 1))
        count = max(FINALISTS, math.ceil(count / 2))
    return stages + [("last", count, FINAL_ROUNDS)]


def tune(group: Group, cases: dict[str, str], journal: Journal, measure: Callable, seconds: float) -> list[str]:
    """Measures the schedules of a group in its cases, each of one of the kernels, in
    stages that halve their number; returns those of the last stage, the best first.
    The first schedule takes part in every stage, and times are told as ratios to
    its. Each stage takes the same part of `seconds` of a case. What the journal
    has is not measured again, but the last stage as a whole.

    `measure(case, names, rounds, seconds)` returns by name what to note of those
    that work: of each the seconds of a call in every round."""
    left_out = journal.left_out().keys()
    first, *others = group.schedules
    others = [name for name in others if not left_out & {code[name] for code in group.code.values()}]

    def score(name: str) -> float:
        found = (journal.find(case, group.code[kernel][name], stage) for case, kernel in cases.items())
        return geometric_mean(statistics.median(record["ratio"]) for record in found)

    stages = plan(len(group.schedules))
    for stage, count, rounds in stages:
        others = others[: count - 1]
        for case, kernel in cases.items():
            code = group.code[kernel]
            missing = [name for name in [first, *others] if not journal.find(case, code[name], stage)]
            if missing:
                names = [first, *(name for name in others if stage == "last" or name in missing)]
                records = measure(case, names, rounds, seconds / len(stages) / len(names) / rounds)
                if first not in records:
                    return []
                base = records[first]["seconds"]
                journal.add([
                    {"case": case, "code": code[name], "stage": stage, "schedule": name,
                     "ratio": [theirs / own for theirs, own in zip(base, record["seconds"])], **record}
                    for name, record in records.items()
                ])  # fmt: skip
            others = [name for name in others if journal.find(case, code[name], stage)]
        others.sort(key=score, reverse=True)
    return sorted([first, *others], key=score, reverse=True)


# Measuring. --------------------------------------------------------------------


def find_jobs(options, groups: list[Group]) -> list[tuple[Group, dict]]:
    """Groups with their cases: by name the case of prefill.py and its kernels by
    schedule."""
    from kernels import find_specs
    from prefill import CASES

    specs = {tuple(spec.path.parts[-3:-1]): spec for spec in find_specs([options.folder])}
    jobs = []
    for group in groups:
        cases = {}
        for kernel in group.code:
            own = {name: specs[kernel, name] for name in group.schedules}
            for case in CASES:
                if case.is_of(next(iter(own.values()))) and options.match in case.name:
                    cases[case.name] = (case, kernel, own)
        if cases:
            jobs.append((group, cases))
    return jobs


def work(options, jobs: list, left_out: dict[str, str], device: str, records: list, pipe) -> None:
    """The process that measures; what it has measured it reports."""
    import torch

    import prefill
    from timing import WARM, Meter, compare

    worker = prefill.Worker(options, left_out, pipe)
    torch.zeros(1, device=prefill.DEVICE)
    meter = Meter()

    class OutOfTime(Exception):
        pass

    def measure_in(cases: dict):
        def measure(name: str, schedules: list[str], rounds: int, seconds: float) -> dict:
            if time.time() > options.deadline:
                raise OutOfTime(name)
            case, _, specs = cases[name]
            specs = {schedule: specs[schedule] for schedule in schedules}
            sides = worker.our_sides(case, specs, *worker.inputs_of(case, specs[schedules[0]]))
            if schedules[0] not in sides:
                return {}
            announce = lambda side: pipe.send(("trying", str(specs[side].path), prefill.OUR_LIMIT))
            result = compare(sides, rounds, seconds * (1 - WARM), meter, announce)
            torch.cuda.empty_cache()
            work = specs[schedules[0]].attention.flops(case.batch, case.length, case.length)
            return {side: {"length": case.length, "date": datetime.date.today().isoformat(),
                           "tflops": work / statistics.median(found["seconds"]) / 1e12, **found}
                    for side, found in result.items()}  # fmt: skip

        return measure

    journal = Journal(device, records, lambda new: pipe.send(("report", None, new)))
    try:
        for group, cases in jobs:
            names = {name: kernel for name, (_, kernel, _) in cases.items()}
            tune(group, names, journal, measure_in(cases), options.seconds)
        pipe.send(("end", None, None))
    except OutOfTime as error:
        pipe.send(("out of time", str(error), None))


def measure_all(options) -> int:
    import multiprocessing

    import torch

    import prefill

    path = options.journal or options.folder / JOURNAL
    groups = read_groups(options.folder)
    jobs = find_jobs(options, groups)
    if not jobs:
        sys.exit("error: no kernel is of a case of prefill.py")
    device = torch.cuda.get_device_name()
    journal = Journal(device, read_journal(path), lambda records: append_journal(path, records))
    options.seconds = options.budget / sum(len(cases) for _, cases in jobs)
    options.deadline = time.time() + options.limit
    options.sides, options.prototype = [], None
    known = journal.left_out()
    code = {str(specs[name].path): group.code[kernel][name]
            for group, cases in jobs for _, kernel, specs in cases.values() for name in specs}  # fmt: skip
    left_out = {manifest: known[code[manifest]] for manifest in code if code[manifest] in known}
    total = sum(len(cases) * len(plan(len(group.schedules))) for group, cases in jobs)
    context = multiprocessing.get_context(options.start)
    finished = False
    with progress("measuring", total) as step:
        done = set()

        def count(records: list[dict]) -> None:
            for case, stage in {(r["case"], r["stage"]): None for r in records if "stage" in r}:
                own = [r for r in records if (r.get("case"), r.get("stage")) == (case, stage)]
                best = max(own, key=lambda r: statistics.median(r["ratio"]))
                if (case, stage) not in done:
                    step(f"{case}, {len(own)} schedules: {best['schedule']} {best['tflops']:.1f} TFLOP/s")
                done.add((case, stage))

        def on_report(_, records: list[dict]) -> None:
            journal.add(records)
            count(records)

        count(journal.records)
        while not finished:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(options, jobs, left_out, device, journal.records, theirs))
            process.start()
            theirs.close()
            try:
                finished = prefill.listen(process, ours, left_out, on_report)
                process.join(10)
            finally:
                process.kill()
            known = journal.left_out()
            journal.add([{"code": code[manifest], "left_out": reason}
                         for manifest, reason in left_out.items() if code[manifest] not in known])  # fmt: skip
    tuned = [group for group, _ in jobs if collect(group, journal)]
    print(f"{len(tuned)} of {len(jobs)} classes of shapes are done: {path}")
    return 0 if len(tuned) == len(jobs) else 1


# The table. --------------------------------------------------------------------


def collect(group: Group, journal: Journal) -> dict[str, dict[str, dict]]:
    """By schedule and case: records of the last stage, where it has been reached in
    all cases that were begun."""
    records: dict[str, dict[str, dict]] = {name: {} for name in group.schedules}
    begun = set()
    for hashes in group.code.values():
        cases = sorted({r["case"] for r in journal.records if r["code"] in hashes.values() and "case" in r})
        begun.update(cases)
        for name in group.schedules:
            for case in cases:
                if found := journal.find(case, hashes[name], "last"):
                    records[name][case] = found
    records = {name: own for name, own in records.items() if own and own.keys() == begun}
    return records if next(iter(group.schedules)) in records else {}


def compare_rounds(records: dict, name: str, base: str) -> list[float]:
    """By round: the time of `base` over that of `name`, in the mean of the cases."""
    return [geometric_mean(rounds) for rounds in zip(*(
        [own / other for own, other in zip(record["ratio"], records[base][case]["ratio"])]
        for case, record in records[name].items()))]  # fmt: skip


def choose(records: dict, base: str, margin: float = 1.0) -> str:
    """The fastest schedule that beats `base` in every round, else `base`."""
    best, best_gain = base, margin
    for name in records:
        rounds = compare_rounds(records, name, base)
        if min(rounds) > 1 and statistics.median(rounds) > best_gain:
            best, best_gain = name, statistics.median(rounds)
    return best


def make_row(group: Group, records: dict, name: str, device: str, length: int | None = None) -> dict:
    rates = {other: geometric_mean(r["tflops"] for r in own.values()) for other, own in records.items()}
    own = list(records[name].values())
    measured = {"device": device, "date": max(r["date"] for r in own), "tflops": round(rates[name], 1),
                "mhz": round(statistics.fmean(r["mhz"] for r in own)),
                "watts": round(statistics.fmean(r["watts"] for r in own))}  # fmt: skip
    others = sorted((other for other in rates if other != name), key=rates.get)
    if others:
        second = others[-1]
        measured["runner_up"] = {"tflops": round(rates[second], 1), "schedule": group.schedules[second]}
    measured["cases"] = {case: round(record["tflops"], 1) for case, record in records[name].items()}
    row = {"target": group.target, **group.shape}
    if length:
        row["length"] = length
    return {**row, "schedule": group.schedules[name], "measured": measured}


def make_rows(group: Group, journal: Journal) -> list[dict]:
    """The class's row, and rows of lengths for which another schedule is faster."""
    records = collect(group, journal)
    if not records:
        return []
    common = choose(records, next(iter(group.schedules)))
    rows = [make_row(group, records, common, journal.device)]
    lengths: dict[int, list[str]] = {}
    for case, record in records[common].items():
        lengths.setdefault(1 << (record["length"] - 1).bit_length(), []).append(case)
    for length, cases in sorted(lengths.items()) if len(lengths) > 1 else []:
        own = {name: {case: found[case] for case in cases} for name, found in records.items()}
        name = choose(own, common, LENGTH_MARGIN)
        if name != common:
            rows.append(make_row(group, own, name, journal.device, length))
    return rows


SHAPE_KEYS = ("target", "branches", "head_dim", "value_dim", "mask", "window")


def merge(table: list[dict], rows: list[dict]) -> list[dict]:
    """The table with these rows in place of those of the same classes."""

    def key(row: dict) -> tuple:
        return tuple(row.get(name, 0) for name in SHAPE_KEYS)

    tuned = {key(row) for row in rows}
    kept = [row for row in table if key(row) not in tuned]
    return sorted(kept + rows, key=lambda row: (key(row), row.get("length", 0)))


def format_table(rows: list[dict]) -> str:
    """JSON with a line for each of a row's parts."""
    texts = []
    for row in rows:
        shape = {key: value for key, value in row.items() if key not in ("schedule", "measured")}
        notes = dict(row["measured"])
        long = [f'   "{key}": {json.dumps(notes.pop(key))}' for key in ("runner_up", "cases") if key in notes]
        texts.append(f" {{{json.dumps(shape)[1:-1]},\n"
                     f'  "schedule": {json.dumps(row["schedule"])},\n'
                     f'  "measured": {{{json.dumps(notes)[1:-1]}' + "".join(",\n" + line for line in long) + "}}")  # fmt: skip
    return "[\n" + ",\n".join(texts) + "\n]\n" if texts else "[]\n"


def write_table(options) -> None:
    path = options.journal or options.folder / JOURNAL
    records = read_journal(path)
    devices = sorted({record["device"] for record in records})
    if options.device:
        devices = [device for device in devices if device == options.device]
    if len(devices) != 1:
        sys.exit(f"error: expects measurements of one device in {path}, but got {len(devices)}"
                 + (f": {', '.join(devices)}; --device=NAME takes one" if devices else ""))  # fmt: skip
    journal = Journal(devices[0], records, lambda new: None)
    rows = [row for group in read_groups(options.folder) for row in make_rows(group, journal)]
    present = json.loads(options.table.read_text()) if options.table.exists() else []
    table = merge(present, rows)
    temporary = options.table.with_suffix(".tmp")
    temporary.write_text(format_table(table))
    os.replace(temporary, options.table)
    print(f"{len(rows)} rows measured on {devices[0]}, {len(table)} in {options.table}")


# Command line. -----------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser, command: str) -> None:
    if command != "compile":
        parser.add_argument("folder", type=pathlib.Path, metavar="DIR")
        parser.add_argument("--journal", type=pathlib.Path, help=f"instead of DIR/{JOURNAL}")
    if command in ("compile", "all"):
        parser.add_argument("--compiler", type=pathlib.Path, required=True, help="diffattn-compile")
        parser.add_argument("--target", default="sm_90a")
        parser.add_argument("--candidates", type=int, default=32, help="schedules of a kernel, the nearest to the choice")
        parser.add_argument("--schedule-table", default="", help="by which the compiler chooses now")
        parser.add_argument("--jobs", type=int, default=os.cpu_count())
    if command == "compile":
        parser.add_argument("--out", dest="folder", type=pathlib.Path, required=True, metavar="DIR")
    if command in ("measure", "all"):
        parser.add_argument("--lib", required=True, help="libdiffattn_runtime.so")
        parser.add_argument("--budget", type=float, default=270, help="seconds of measuring, all cases together")
        parser.add_argument("--limit", type=float, default=math.inf, help="seconds after which nothing new begins")
        parser.add_argument("--start", default="spawn", help=argparse.SUPPRESS)
    parser.set_defaults(match="")
    if command in ("compile", "measure"):
        what = "kernels" if command == "compile" else "cases"
        parser.add_argument("--match", help=f"only {what} whose name has this")
    if command in ("write", "all"):
        parser.add_argument("--table", type=pathlib.Path, default=TABLE)
        parser.add_argument("--device", help="whose measurements count")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("compile", "measure", "write", "all"):
        add_options(commands.add_parser(command), command)
    options = parser.parse_args()
    status = 0
    if options.command in ("compile", "all"):
        try:
            compile_all(options)
        except (RuntimeError, OSError) as error:
            sys.exit(f"error: {error}")
    if options.command in ("measure", "all"):
        status = measure_all(options)
    if options.command in ("write", "all"):
        write_table(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
