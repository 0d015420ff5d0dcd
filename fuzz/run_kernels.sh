#!/bin/sh
# run_kernels.sh [SECONDS [LEVEL]]: builds the C++ fuzzers and runs each for so long, 60 s at v3 by default.
# Prints the executions of each. Ends with an error at the first finding, whose input stays in the folder it names.
set -eu
seconds=${1:-60}
level=${2:-v3}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
echo "building in $work"
cmake -S "$here" -B "$work/build" -DCMAKE_CXX_COMPILER="${CXX:-clang++}" -DBPNET_FUZZ_ISA="$level" \
  ${EIGEN_PREFIX:+-DCMAKE_PREFIX_PATH="$EIGEN_PREFIX"} >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/build" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
export ASAN_OPTIONS="quarantine_size_mb=16${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
for target in fuzz_kernels fuzz_network; do
  mkdir -p "$work/$target"
  # -entropic=0: its schedule would cost more than an execution
  if "$work/build/$target" -max_total_time="$seconds" -max_len=512 -entropic=0 -reduce_inputs=0 -print_funcs=0 \
    -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$work/" "$work/$target" >"$work/$target.log" 2>&1; then
    echo "$target at $level: $(sed -n 's/^Done //p' "$work/$target.log")"
  else
    grep -v -e NEW -e pulse "$work/$target.log" | tail -n 60
    echo "$target at $level: a finding; its input lies in $work"
    exit 1
  fi
done
rm -r "$work"
