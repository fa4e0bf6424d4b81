#!/usr/bin/env bash
# Our executor and a bare object_store loop in alternation, against an S3 server on loopback: one thread, 4 KiB objects,
# 16 in flight. Prints the medians, their ratios, and the memory that large objects take.
# usage: versus_object_store.sh [ROUNDS [SECONDS]]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-7} seconds=${2:-3}
[ -n "${NO_BUILD:-}" ] || cargo build --release --quiet -p iobench-backends --example object_loop
loop=target/release/examples/object_loop
scratch=$(mktemp -d)
mkfifo "$scratch/in" "$scratch/out"
"$loop" serve <"$scratch/in" >"$scratch/out" &
server=$!
exec 3>"$scratch/in"
read -r endpoint bucket <"$scratch/out"
trap 'exec 3>&-; wait "$server" || true; rm -rf "$scratch"' EXIT

median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
"$loop" bare put "$endpoint" "$bucket" 4096 16 1 >/dev/null # so that everything is there
for what in put get; do
    for ((round = 0; round < rounds; round++)); do
        for who in bare ours; do "$loop" "$who" "$what" "$endpoint" "$bucket" 4096 16 "$seconds" >>"$scratch/$what.$who"; done
    done
    for who in bare ours; do
        rate=$(awk '{print $1}' "$scratch/$what.$who" | median)
        cpu=$(awk '{print $2}' "$scratch/$what.$who" | median)
        echo "$what $who: $rate ops/s, $cpu us of CPU per operation"
        declare "rate_$who=$rate" "cpu_$who=$cpu"
    done
    # shellcheck disable=SC2154
    awk -v w="$what" -v a="$cpu_ours" -v b="$cpu_bare" -v c="$rate_ours" -v d="$rate_bare" \
        'BEGIN {printf "%s: %.2f x the CPU per operation, %.2f x the rate\n", w, a/b, c/d}'
done
for what in put get; do
    mib=$("$loop" ours "$what" "$endpoint" "$bucket" $((64 << 20)) 16 5 | awk '{print $3}')
    echo "$what of 64 MiB objects, 16 in flight: $mib MiB at most"
done
