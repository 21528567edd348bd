"""Writes bin/{forward,causal}-d128.{ptx,cubin} from the IR in test/Dialect/Tile/Hopper.

  build.py BUILD_DIRECTORY      where bin/diffattn-opt and bin/diffattn-compile are

bench.py also wants bin/prototype.cubin, the hand-made CUDA kernel to compare with.
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
KERNELS = HERE.parents[1] / "test" / "Dialect" / "Tile" / "Hopper"
PLACE = "builtin.module(gpu.module(gpu.func(diffattn-tile-allocate{limit=232448})))"


def main():
    tools = pathlib.Path(sys.argv[1]) / "bin"
    out = HERE / "bin"
    out.mkdir(exist_ok=True)
    for name in ("forward-d128", "causal-d128"):
        placed = subprocess.run(
            [tools / "diffattn-opt", KERNELS / f"{name}.mlir", f"--pass-pipeline={PLACE}"],
            check=True, capture_output=True).stdout
        for kind in ("ptx", "cubin"):
            subprocess.run(
                [tools / "diffattn-compile", "-", "--compile-from=tile", "--target=sm_90a",
                 f"--emit={kind}", "-o", out / f"{name}.{kind}"], check=True, input=placed)


if __name__ == "__main__":
    main()
