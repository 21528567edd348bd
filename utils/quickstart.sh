#!/usr/bin/env bash
# From a clean clone to a running DIFF V2 layer: installs what is missing,
# builds, compiles the layer for the GPU or else the CPU of this machine, runs it
# on generated input of real size, and shows error, time and where to look
# inside.
source "$(dirname "$0")/common.sh"
cd "$root"

utils/setup.sh
utils/build.sh diffattn-compile diffattn-opt

# PTX for sm_80 runs on every NVIDIA GPU since; Hopper has a path of its own.
target=cpu
capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n1) || true
if [[ "${capability%%.*}" =~ ^[0-9]+$ && "${capability%%.*}" -ge 8 ]]; then
  target=sm_80
fi
if [[ "$capability" == 9.0 ]]; then
  target=sm_90a
fi

dump=build/quickstart
rm -rf "$dump"
command=(build/bin/diffattn-compile examples/diff_v2_layer.mlir --target=$target
  --run --input=random:1 --check --time --dump-dir="$dump")
say "${command[*]}"
"${command[@]}"

say "the IR after every phase lies in $dump:"
for file in "$dump"/*; do
  printf '   %-28s %6d lines\n' "$(basename "$file")" "$(wc -l <"$file")"
done
cat <<'END'
== next: docs/tutorial.md walks through these files, and
   build/bin/diffattn-compile --help lists what else the compiler does
END
