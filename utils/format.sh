#!/usr/bin/env bash
# clang-format on every C++ file of the repository.
#
#   utils/format.sh           rewrites them
#   utils/format.sh --check   changes nothing; names those that are not formatted, and fails
source "$(dirname "$0")/common.sh"
cd "$root"

case ${1:-} in
  "")
    git ls-files -z '*.cpp' '*.h' | xargs -0 -r "$llvm_bin/clang-format" -i
    ;;
  --check)
    old=$(git ls-files '*.cpp' '*.h' | while read -r file; do
      "$llvm_bin/clang-format" "$file" | cmp -s - "$file" || echo "  $file"
    done)
    [ -z "$old" ] || die "these files are not formatted, run utils/format.sh:
$old"
    ;;
  *) die "unknown option '$1'; usage: utils/format.sh [--check]" ;;
esac
