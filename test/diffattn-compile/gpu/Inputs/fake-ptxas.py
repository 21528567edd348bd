#!/usr/bin/env python3
"""Stands in for ptxas: writes the report in $FAKE_REPORT_<chip> or
$FAKE_REPORT and returns $FAKE_STATUS. After $FAKE_TURNS runs, counted in the
file $FAKE_COUNTER, the report is $FAKE_LATER."""

import os
import sys

chip = next(a for a in sys.argv if a.startswith("-arch=")).removeprefix("-arch=")
path = os.environ.get("FAKE_REPORT_" + chip, os.environ["FAKE_REPORT"])
if "FAKE_TURNS" in os.environ:
    with open(os.environ["FAKE_COUNTER"], "a+") as counter:
        counter.write("x")
        if counter.tell() > int(os.environ["FAKE_TURNS"]):
            path = os.environ["FAKE_LATER"]
with open(path) as report:
    sys.stderr.write(report.read().replace("CHIP", chip))
with open(sys.argv[sys.argv.index("-o") + 1], "w") as output:
    output.write("cubin for " + chip)
sys.exit(int(os.environ.get("FAKE_STATUS", "0")))
