#!/usr/bin/env bash
# Random 4 KiB reads, 32 in flight, one thread: this engine and fio's io_uring engine in alternation on the same
# file system, and the ratios of their medians. Needs fio.
#
#   backends/benches/versus_fio.sh [DIRECTORY=/dev/shm] [ROUNDS=5] [SECONDS=4]
set -euo pipefail

directory=${1:-/dev/shm} rounds=${2:-5} seconds=${3:-4}
block=4096 depth=32 mib=256
work=$(mktemp -d "$directory/iobench-versus-fio.XXXXXX")
trap 'rm -rf "$work"' EXIT

cd "$(dirname "$0")/../.."
cargo build --quiet --release -p iobench-backends --example block_reads
ours=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/examples/block_reads

run_ours() {
  "$ours" "file://$work/ours" $block $depth "$seconds" $mib | awk '{ print $1, $2 }'
}

# CPU per operation: user and system percent of the one job's time, over the operations of that time.
run_fio() {
  fio --name=reads --filename="$work/fio" --size=${mib}M --rw=randread --bs=$block --iodepth=$depth --numjobs=1 \
    --ioengine=io_uring --registerfiles --fixedbufs --norandommap --time_based --runtime="$seconds" --ramp_time=0.5 \
    --output-format=json |
    awk -F'[:,]' '/"read" :/ { reads = 1 } /"iops" :/ && reads && !rate { rate = $2 }
      /"usr_cpu"/ { user = $2 } /"sys_cpu"/ { sys = $2 }
      END { printf "%.0f %.0f\n", rate, (user + sys) / 100 * 1e9 / rate }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

printf '%-6s %12s %10s %12s %10s\n' round 'ours op/s' 'CPU ns/op' 'fio op/s' 'CPU ns/op'
for round in $(seq "$rounds"); do
  read -r our_rate our_cpu < <(run_ours)
  read -r fio_rate fio_cpu < <(run_fio)
  printf '%-6s %12s %10s %12s %10s\n' "$round" "$our_rate" "$our_cpu" "$fio_rate" "$fio_cpu"
  echo "$our_rate $our_cpu $fio_rate $fio_cpu" >>"$work/rounds"
done
column() { awk -v n="$1" '{ print $n }' "$work/rounds" | median; }
awk -v a="$(column 1)" -v b="$(column 3)" -v c="$(column 2)" -v d="$(column 4)" \
  'BEGIN { printf "medians: %.2f times the rate of fio, %.2f times its CPU per operation\n", a / b, c / d }'
