#!/usr/bin/env bash
# From a clean clone to a running DIFF V2 layer: installs what is missing,
# builds, compiles the layer for this machine's CPU, runs it on generated input
# of real size, and shows error, time and where to look inside.
source "$(dirname "$0")/common.sh"
cd "$root"

utils/setup.sh
utils/build.sh diffattn-compile diffattn-opt

dump=build/quickstart
rm -rf "$dump"
command=(build/bin/diffattn-compile examples/diff_v2_layer.mlir --target=cpu
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
