#!/usr/bin/env bash
# The bench run: 2,000 phantoms of the preset `bench`, the quickstart's kind of trunk and Swin side by side, scored on
# the test split and on the same studies drawn under other conditions. At most an hour on two CPU cores.
#
#   bash scripts/bench/phantoms.sh    after scripts/quickstart.sh, which makes .venv; what is there already is used again
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. .venv/bin/activate
export OMP_NUM_THREADS=$((($(nproc) + 1) / 2))
began=$SECONDS

for part in bench "bench_shifted --shifted"; do
    set -- $part
    llmrg data phantom "data/phantoms/$1" --format ped-xray --studies 2000 --seed 11 --size 160 --preset bench "${@:2}"
done
# Small networks gain little from a second thread, so what does not wait for another part runs beside it.
both() { # both NAME COMMAND -- NAME COMMAND: run two commands at once, their lines marked with their names
    processes=()
    while [ $# -gt 0 ]; do
        local name=$1 command=()
        shift
        while [ $# -gt 0 ] && [ "$1" != -- ]; do command+=("$1"); shift; done
        shift || true
        (set -o pipefail; "${command[@]}" 2>&1 | sed -u "s/^/$name | /") &
        processes+=($!)
    done
    for process in "${processes[@]}"; do wait "$process"; done
}
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true' EXIT
both conv llmrg pretrain disease-classifier configs/bench/conv.yaml -- \
    swin llmrg pretrain language-model configs/bench/swin.yaml
both conv llmrg train configs/bench/conv.yaml -- swin llmrg train configs/bench/swin.yaml
trap - EXIT
printf 'Both trainings took %d minutes.\n' $(((SECONDS - began) / 60))
export OMP_NUM_THREADS=$(nproc)
llmrg benchmark configs/benchmark/bench.yaml
llmrg benchmark configs/benchmark/bench_shifted.yaml
printf 'The bench run took %d minutes. Result page: runs/bench/index.html\n' $(((SECONDS - began) / 60))
