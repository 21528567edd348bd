#!/usr/bin/env python3
# Part of the diffattn project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws the pictures of docs/tile-dialect.md from the digits in its text.

    utils/draw_tile_layouts.py            # writes docs/images/tile-*.svg
    utils/draw_tile_layouts.py --check    # fails if they differ
"""

import argparse
import itertools
import pathlib
import sys

IMAGES = pathlib.Path(__file__).resolve().parent.parent / "docs" / "images"
COLOURS = ["#cfe3f5", "#fbe0c3", "#d5ecd0", "#f3cfd3", "#e3d7f0", "#f6efb8", "#d0ebe8", "#e4e4e4"]


def parse(digits):
    """[d1*2, d0*2:8] as (dimension, extent, stride)."""
    for digit in digits.split(","):
        dim, rest = digit.strip().lstrip("d").split("*")
        extent, _, stride = rest.partition(":")
        yield int(dim), int(extent), int(stride or 1)


def coordinates(digits, rank):
    """The coordinates of index 0, 1, ..."""
    parsed = list(parse(digits))
    for steps in itertools.product(*(range(extent) for _, extent, _ in reversed(parsed))):
        point = [0] * rank
        for step, (dim, _, stride) in zip(reversed(steps), parsed):
            point[dim] += step * stride
        yield tuple(point)


class Picture:
    """Labelled squares on a grid, with text around it."""

    def __init__(self, columns, rows, cell=(44, 22), margin=(96, 46)):
        self.cell, self.margin = cell, margin
        self.size = (margin[0] + columns * cell[0] + 8, margin[1] + rows * cell[1] + 8)
        self.parts = []

    def place(self, column, row):
        return self.margin[0] + column * self.cell[0], self.margin[1] + row * self.cell[1]

    def box(self, column, row, label, colour):
        x, y = self.place(column, row)
        width, height = self.cell
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}" stroke="#888"/>'
        )
        self.text(column + 0.5, row + 0.68, label)

    def text(self, column, row, label, anchor="middle"):
        x, y = self.place(column, row)
        self.parts.append(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{label}</text>')

    def svg(self):
        width, height = self.size
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
                f'<rect width="{width}" height="{height}" fill="white"/>',
                *self.parts,
                "</svg>\n",
            ]
        )


def fragment(registers, lanes, rank, rows, columns, name_row, title, pair=False):
    """Who holds which element: lane over register, coloured by lane / 4."""
    picture = Picture(columns, rows)
    picture.text(0, -1.2, title, "start")
    for column in range(columns):
        picture.text(column + 0.5, -0.3, column)
    for row in range(rows):
        picture.text(-0.15, row + 0.68, name_row(row), "end")
    registers, lanes = list(coordinates(registers, rank)), list(coordinates(lanes, rank))
    for lane, base in enumerate(lanes):
        for register, step in enumerate(registers):
            point = [a + b for a, b in zip(base, step)]
            row = point[0] + (8 * point[1] if pair else 0)
            if row < rows and point[-1] < columns:
                picture.box(point[-1], row, f"{lane}.{register}", COLOURS[lane // 4])
    return picture.svg()


def swizzle():
    """Chunks of 16 bytes of eight rows, where they lie with a span of 128."""
    picture = Picture(8, 8, cell=(64, 22))
    picture.text(0, -1.2, "shared memory, 128 bytes (32 banks) a line; r.c: row r, columns 8c to 8c+7", "start")
    for quad in range(8):
        picture.text(quad + 0.5, -0.3, f"banks {4 * quad}-{4 * quad + 3}")
    for row in range(8):
        picture.text(-0.1, row + 0.68, f"byte {128 * row}", "end")
        for chunk in range(8):
            offset = 128 * row + 16 * chunk
            moved = offset ^ (offset >> 3 & 112)
            picture.box(moved % 128 // 16, moved // 128, f"{row}.{chunk}", COLOURS[chunk])
    return picture.svg()


def pictures():
    yield "tile-accumulator.svg", fragment(
        "d2*2, d1*2", "d2*4:2, d0*8", 3, 16, 8,
        lambda row: f"query {row % 8}, branch {row // 8}",
        "lane.register of one MMA accumulator: key across, rows down", pair=True)
    yield "tile-operand-a.svg", fragment(
        "d1*2, d0*2:8, d1*2:8", "d1*4:2, d0*8", 2, 16, 16,
        lambda row: f"row {row}", "lane.register of an A operand: k across, rows down")
    yield "tile-swizzle.svg", swizzle()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    check = parser.parse_args().check
    stale = []
    for name, text in pictures():
        path = IMAGES / name
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    if stale:
        sys.exit(f"stale pictures: {', '.join(stale)}; run {sys.argv[0]}")


if __name__ == "__main__":
    main()
