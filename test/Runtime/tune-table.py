# What benchmarks/gpu/tune.py makes of measurements, here of invented ones.
# RUN: rm -rf %t && mkdir %t
# RUN: %python %s %benchmarks/gpu %t
# RUN: FileCheck %s < %t/table.json
# RUN: diffattn-compile %t/layer.mlir --target=sm_90a --schedule-table=%t/table.json --emit=schedules | FileCheck %s --check-prefix=READ

import json
import pathlib
import sys

sys.path.insert(0, sys.argv[1])
folder = pathlib.Path(sys.argv[2])
import tune

CASES = {"long": "k1", "short": "k2"}
LENGTHS = {"long": 16384, "short": 2048}


def schedule(keys, teams=3, order="overlap"):
    return {"query_tile": 32, "pairs": 1, "key_tile": keys, "warps": 4, "stages": 2, "teams": teams, "order": order}


def make_group(count):
    choices = [schedule(80, 3, "turns"), schedule(64), schedule(48), schedule(128, 2)]
    choices += [{"number": i} for i in range(count - 4)]
    schedules = {tune.slug(choice): choice for choice in choices}
    shape = {"branches": 2, "head_dim": 128, "value_dim": 128, "mask": "causal"}
    code = {kernel: {name: f"{kernel} {name}" for name in schedules} for kernel in ("k1", "k2")}
    return tune.Group("sm_90a", shape, schedules, code)


class Chip:
    """Knows the times of schedules by case, name and round; breaks after so many
    calls."""

    def __init__(self, times, failing=(), calls=None):
        self.times, self.failing, self.calls, self.measured = times, failing, calls, []

    def measure(self, case, names, rounds, seconds):
        if self.calls == len(self.measured):
            raise KeyboardInterrupt
        self.measured.append((case, len(names), rounds, round(seconds * len(names) * rounds, 3)))
        times = {name: [self.times(case, name, i) for i in range(rounds)] for name in names}
        return {name: {"seconds": own, "mhz": 1500.4, "watts": 690.0, "length": LENGTHS[case],
                       "date": "2026-01-02", "tflops": 600 / own[0]}
                for name, own in times.items() if name not in self.failing}  # fmt: skip


def read(name):
    path = folder / name
    return tune.Journal("Test Chip", tune.read_journal(path), lambda new: tune.append_journal(path, new))


# Stages halve, down to four; each gets the same part of the time.
assert tune.plan(20) == [("20", 20, 1), ("10", 10, 1), ("5", 5, 1), ("last", 4, 7)]
assert tune.plan(3) == [("last", 3, 7)]

group = make_group(20)
present, wide, narrow, two = list(group.schedules)[:4]
failing = tune.slug({"number": 3})
speeds = {present: 1.0, wide: 0.98, narrow: 0.97, two: 1.01}
steady = lambda case, name, i: speeds.get(name, 2.0)
chip = Chip(steady, {failing})
ranked = tune.tune(group, CASES, read("journal"), chip.measure, seconds=8)
assert ranked == [narrow, wide, present, two], ranked
# What fails in one case is not tried in others.
assert chip.measured == [
    ("long", 20, 1, 2.0), ("short", 19, 1, 2.0), ("long", 10, 1, 2.0), ("short", 10, 1, 2.0),
    ("long", 5, 1, 2.0), ("short", 5, 1, 2.0), ("long", 4, 7, 2.0), ("short", 4, 7, 2.0),
], chip.measured  # fmt: skip

# Nothing is measured twice, and nothing tried that is known to fail.
tune.append_journal(folder / "journal", [{"device": "Test Chip", "code": f"k2 {failing}", "left_out": "hangs"}])
chip = Chip(steady, calls=0)
assert tune.tune(group, CASES, read("journal"), chip.measure, seconds=8) == ranked
# Of another chip nothing is known.
other = tune.Journal("Other Chip", tune.read_journal(folder / "journal"), lambda new: None)
assert not other.records

# Broken off, and in the middle of a line: the rest is measured, of the last stage
# all schedules beside each other.
group = make_group(8)
chip = Chip(steady, calls=3)
try:
    tune.tune(group, CASES, read("broken"), chip.measure, seconds=8)
    raise SystemExit("not broken off")
except KeyboardInterrupt:
    pass
text = (folder / "broken").read_text()
(folder / "broken").write_text(text[:-40])
assert not tune.collect(group, read("broken"))
chip = Chip(steady)
assert tune.tune(group, CASES, read("broken"), chip.measure, seconds=8) == ranked
assert chip.measured == [("long", 4, 7, 4.0), ("short", 4, 7, 4.0)], chip.measured
# Missing ones of an earlier stage beside the first.
lines = (folder / "broken").read_text().splitlines(keepends=True)
(folder / "broken").write_text("".join(line for line in lines if f'"k1 {wide}", "stage": "8"' not in line))
chip = Chip(steady)
assert tune.tune(group, CASES, read("broken"), chip.measure, seconds=8) == ranked
assert chip.measured == [("long", 2, 1, 4.0)], chip.measured

# Without the first there is nothing to compare with.
assert tune.tune(group, CASES, read("first"), Chip(steady, {present}).measure, seconds=8) == []


def rows_of(times):
    group = make_group(4)
    journal = tune.Journal("Test Chip", [], lambda new: None)
    tune.tune(group, CASES, journal, Chip(times).measure, seconds=8)
    return tune.make_rows(group, journal)


def chosen(rows):
    return [(row.get("length"), tune.slug(row["schedule"])) for row in rows]


# The fastest, if it is in every round.
assert chosen(rows_of(steady)) == [(None, narrow)]
noisy = lambda case, name, i: 1.001 if name == narrow and i == 3 else steady(case, name, i)
assert chosen(rows_of(noisy)) == [(None, wide)]
# A length for which another one is faster by more than a percent.
split = lambda case, name, i: 0.95 if (case, name) == ("short", two) else steady(case, name, i)
assert chosen(rows_of(split)) == [(None, narrow), (2048, two)]
little = lambda case, name, i: 0.965 if (case, name) == ("short", two) else steady(case, name, i)
assert chosen(rows_of(little)) == [(None, narrow)]

# Rows take the place of those of their class, lengths included; others stay.
old = rows_of(split)
window = {**old[0], "mask": "window", "window": 512}
causal_64 = {**old[0], "head_dim": 64, "value_dim": 64}
table = tune.merge([*old, window, causal_64], rows_of(little))
assert [(row["head_dim"], row["mask"], row.get("length")) for row in table] == [
    (64, "causal", None), (128, "causal", None), (128, "window", None)]  # fmt: skip
table = tune.merge(table, old)
assert tune.merge(table, old) == table
text = tune.format_table(table)
assert json.loads(text) == table
assert tune.format_table([]) == "[]\n"
(folder / "table.json").write_text(text)

# CHECK:      {"target": "sm_90a", "branches": 2, "head_dim": 64
# CHECK:      {"target": "sm_90a", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "causal",
# CHECK-NEXT:  "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 48, "warps": 4, "stages": 2, "teams": 3, "order": "overlap"},
# CHECK-NEXT:  "measured": {"device": "Test Chip", "date": "2026-01-02", "tflops": 618.6, "mhz": 1500, "watts": 690,
# CHECK-NEXT:   "runner_up": {"tflops": {{.*}}, "schedule": {"query_tile": 32, {{.*}}}},
# CHECK-NEXT:   "cases": {"long": 618.6, "short": 618.6}}},
# CHECK-NEXT: {"target": "sm_90a", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "causal", "length": 2048,
# CHECK-NEXT:  "schedule": {"query_tile": 32, "pairs": 1, "key_tile": 128, "warps": 4, "stages": 2, "teams": 2, "order": "overlap"},
# CHECK:      {"target": "sm_90a", "branches": 2, "head_dim": 128, "value_dim": 128, "mask": "window", "window": 512,

# The compiler reads it.
# READ: "mask": "causal"
# READ: "schedules": [
# READ: "key_tile": 48,
import compile as kernel_sets

(_, layer), = (entry for entry in kernel_sets.prefill_set() if entry[0] == "d128_causal")
(folder / "layer.mlir").write_text(layer)
