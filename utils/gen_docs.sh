#!/usr/bin/env bash
# Copies the dialect and pass reference that TableGen generates to
# docs/reference/, where readers without a build find it.
#
#   utils/gen_docs.sh           update docs/reference/
#   utils/gen_docs.sh --check   change nothing; show what is out of date and fail
source "$(dirname "$0")/common.sh"
cd "$root"

case ${1:-} in
  "" | --check) ;;
  *) die "unknown option '$1'; usage: utils/gen_docs.sh [--check]" ;;
esac
quietly "$build/log/docs.log" cmake --build "$build" --target diffattn-docs
if [ "${1:-}" = --check ]; then
  diff -ru docs/reference "$build/docs" ||
    die "docs/reference is out of date: run utils/gen_docs.sh and commit the result"
else
  rm -f docs/reference/*.md
  cp "$build"/docs/*.md docs/reference/
fi
