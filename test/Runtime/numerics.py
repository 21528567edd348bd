# What benchmarks/gpu/numerics.py must find, it finds: a simulated kernel makes
# one mistake at a time.
# REQUIRES: torch
# RUN: %python %s %benchmarks/gpu %S/Inputs | FileCheck %s

import sys

sys.path.insert(0, sys.argv[1])
import torch

import kernels
import numerics

(spec,) = kernels.find_specs(sys.argv[2:])
case = numerics.Case("ragged", 2, 20, 30)
correct = numerics.simulate
runs = 0


def problems(mistake, case=case):
    def make_launch(placed):
        def launch():
            global runs
            runs += 1
            correct(spec, placed)
            mistake({role: memory.view for role, memory in placed.items()}, placed)

        return launch

    return numerics.check(spec, case, make_launch, "cpu", seed=1)["problems"]


def nothing(view, placed):
    pass


# CHECK: correct: []
print("correct:", problems(nothing))


def forgets_an_element(view, placed):
    view["output"][1, 19, 1, 63] = torch.nan


# CHECK-NEXT: ['NaN where a number should be, or the reverse'
print(problems(forgets_an_element))


def differs(view, placed):
    view["output"][0, 0, 0, 0] += runs


# CHECK-NEXT: ['output differs from run to run',
print(problems(differs))


def writes_beside(view, placed):
    placed["output"].storage[-1] = 0


# CHECK-NEXT: ['wrote beside output'{{.*}}]
print(problems(writes_beside))


def writes_input(view, placed):
    view["key"][0, 0, 0, 0] = 0


# CHECK-NEXT: 'wrote to key'
print(problems(writes_input))


def rounds_twice(view, placed):
    view["output"].copy_(view["output"].to(torch.float8_e4m3fn).to(torch.bfloat16))


# CHECK-NEXT: ['error {{.*}} above
print(problems(rounds_twice))


def forgets_infinity(view, placed):
    view["lse"].clamp_(max=1e30)


# CHECK-NEXT: ['lse off by {{.*}}, or not +inf for rows without keys']
print(problems(forgets_infinity, numerics.Case("rows without keys", 1, 30, 20)))


def leaves_something(view, placed):
    view["output"][0, 0] = 1e-30


# CHECK-NEXT: ['rows without keys are not 0']
print(problems(leaves_something, numerics.Case("rows without keys", 1, 30, 20)))


def returns_the_other_branch(view, placed):
    view["noise"].copy_(view["output"])


# CHECK-NEXT: ["noise error {{.*}} above the peer's
print(problems(returns_the_other_branch))
