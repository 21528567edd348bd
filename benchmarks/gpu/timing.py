# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sides of a comparison, measured sustained and interleaved round by round."""

from __future__ import annotations

import contextlib
import math
import statistics
import threading
import time
from dataclasses import dataclass
from typing import Callable

import torch

WARM = 0.3
"""Of a side's time in a round; not counted, because the clock settles in it."""
SAMPLE_SECONDS = 0.04


@dataclass
class Side:
    """Something that runs on the GPU: `call` starts it, `finish` waits for the
    result of the last call."""

    call: Callable
    finish: Callable = lambda result: torch.cuda.synchronize()


class Meter:
    """SM clock and power through NVML; silent where there is none."""

    POWER_INSTANT = 186  # NVML_FI_DEV_POWER_INSTANT

    def __init__(self) -> None:
        self.nvml = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self.handle = pynvml.nvmlDeviceGetHandleByIndex(torch.cuda.current_device())
            self.nvml = pynvml
        except Exception as error:  # no package, no permission: times still count
            print(f"no clock and power: {error}", flush=True)

    def read(self) -> tuple[float, float]:
        """(MHz, W) now."""
        clock = self.nvml.nvmlDeviceGetClockInfo(self.handle, self.nvml.NVML_CLOCK_SM)
        try:
            field = self.nvml.nvmlDeviceGetFieldValues(self.handle, [self.POWER_INSTANT])[0]
            watts = field.value.uiVal / 1e3
        except self.nvml.NVMLError:
            watts = self.nvml.nvmlDeviceGetPowerUsage(self.handle) / 1e3
        return float(clock), watts

    @contextlib.contextmanager
    def watch(self):
        """A list that fills with readings while the context lasts."""
        readings, done = [], threading.Event()

        def sample() -> None:
            while not done.wait(SAMPLE_SECONDS):
                readings.append(self.read())

        thread = threading.Thread(target=sample, daemon=True)
        if self.nvml:
            thread.start()
        try:
            yield readings
        finally:
            done.set()
            if self.nvml:
                thread.join()


def seconds_of(side: Side, count: int) -> float:
    """Of one of `count` calls in a row."""
    result = None
    start = time.perf_counter()
    for _ in range(count):
        result = side.call()
    side.finish(result)
    return (time.perf_counter() - start) / count


def sustained(side: Side, count: int, meter: Meter) -> tuple[float, list]:
    """Seconds of one of `count` calls in a row, without the first ones; and what
    the meter read meanwhile."""
    warm = int(WARM * count)
    if warm:
        seconds_of(side, warm)
    with meter.watch() as readings:
        seconds = seconds_of(side, count - warm)
    return seconds, readings


def estimate(side: Side) -> float:
    """Seconds of a call, roughly."""
    seconds_of(side, 2)
    return seconds_of(side, 3)


def compare(
    sides: dict[str, Side],
    rounds: int,
    seconds: float,
    meter: Meter,
    announce: Callable[[str], None] = lambda name: None,
) -> dict[str, dict]:
    """By side: seconds of a call in each round, mean clock and power. Each round
    measures every side for so many seconds, every other one in reverse. What runs
    next is announced."""
    counts = {}
    for name, side in sides.items():
        announce(name)
        counts[name] = max(4, math.ceil(seconds / (1 - WARM) / estimate(side)))
    result = {name: {"seconds": [], "readings": []} for name in sides}
    names = list(sides)
    for i in range(rounds):
        for name in names if i % 2 == 0 else names[::-1]:
            announce(name)
            elapsed, readings = sustained(sides[name], counts[name], meter)
            result[name]["seconds"].append(elapsed)
            result[name]["readings"] += readings
    for side in result.values():
        readings = side.pop("readings")
        side["mhz"], side["watts"] = (
            (statistics.mean(column) for column in zip(*readings)) if readings else (0.0, 0.0)
        )
    return result


def lower_bound(values: list[float], confidence: float = 0.95) -> float:
    """The largest order statistic below the median with this confidence."""
    n, tail, best = len(values), 0.0, 0
    for k in range(n):
        tail += math.comb(n, k) / 2**n  # P(at most k values below the median)
        if tail > 1 - confidence:
            break
        best = k
    return sorted(values)[best]


def ratios(peer: dict, ours: dict, field: str = "seconds") -> list[float]:
    """The peer's time over ours, round by round."""
    return [theirs / mine for theirs, mine in zip(peer[field], ours[field])]


def graph_of(side: Side) -> Side:
    """The call as a CUDA graph: no host time between kernels."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            side.call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        side.call()
    return Side(graph.replay)
