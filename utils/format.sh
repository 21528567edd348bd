#!/usr/bin/env bash
# clang-format on every C++ file of the repository.
#
#   utils/format.sh           rewrite
#   utils/format.sh --check   change nothing; name the places and fail
source "$(dirname "$0")/common.sh"
cd "$root"

mode=(-i)
case ${1:-} in
  "") ;;
  --check) mode=(--dry-run --Werror) ;;
  *) die "unknown option '$1'; usage: utils/format.sh [--check]" ;;
esac
git ls-files -z '*.cpp' '*.h' | xargs -0 -r "$llvm_bin/clang-format" "${mode[@]}" ||
  die "files are not formatted as .clang-format asks: run utils/format.sh"
