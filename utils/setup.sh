#!/usr/bin/env bash
# Installs what building and testing need on Debian 12, and nothing that is
# already there: with nothing missing it takes well under a second.
#
#   utils/setup.sh                 compiler, LLVM/MLIR 22, build and test tools
#   utils/setup.sh --with-torch    also .venv with PyTorch, for benchmarks
#   utils/setup.sh --with-fuzzer   also clang's sanitizer and fuzzer runtimes
source "$(dirname "$0")/common.sh"

# libomp is a run-time need of compiled programs; gtest of unittests/ only;
# nlohmann-json reads manifests in the GPU runtime, which has no LLVM.
packages=(
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools
  clang-22 clang-format-22 lld-22 libomp-22-dev
  cmake ninja-build ccache git libgtest-dev
  nlohmann-json3-dev python3
)
with_torch=no
for arg in "$@"; do
  case $arg in
    --with-torch) with_torch=yes; packages+=(python3-venv) ;;
    --with-fuzzer) packages+=(libclang-rt-22-dev) ;;
    *) die "unknown option '$arg'; usage: utils/setup.sh [--with-torch] [--with-fuzzer]" ;;
  esac
done

installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^ii  *//p')
missing=()
for package in "${packages[@]}"; do
  grep -qx -- "$package" <<<"$installed" || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null ||
    die "these packages are needed, and there is no apt-get to install them: ${missing[*]}"
  sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "run as root: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  quietly "$build/log/apt.log" "${sudo[@]}" apt-get update -q
  quietly "$build/log/apt.log" "${sudo[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

if [ "$with_torch" = yes ] && ! "$root/.venv/bin/python3" -c 'import torch, numpy' 2>/dev/null; then
  say "installing PyTorch into .venv"
  [ -x "$root/.venv/bin/python3" ] || python3 -m venv "$root/.venv"
  quietly "$build/log/pip.log" "$root/.venv/bin/pip" install -q torch==2.13.0 numpy
fi
