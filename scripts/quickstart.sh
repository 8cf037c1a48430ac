#!/usr/bin/env bash
# From nothing to a result page: makes .venv, installs llmrg, draws phantom radiographs with paired reports in the
# layout of two datasets, trains on them, compares with baselines, and prints where the page lies.
#
#   bash scripts/quickstart.sh             do it; what is there already is used again
#   bash scripts/quickstart.sh --dry-run   only show the commands
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/environment.sh

case "${1:-}" in
"") dry_run=false ;;
--dry-run) dry_run=true ;;
*) fail "unknown argument '$1'; the only one is --dry-run" ;;
esac

began=$SECONDS

step() { # step NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    if $dry_run; then
        printf '%s\n' "$*"
        return
    fi
    say ""
    say "== $name"
    say "   $*"
    "$@" || fail "the step '$name' failed (exit code $?); the message above says why"
    say "   $name: $(elapsed $((SECONDS - start)))"
}

if $dry_run; then launch=configs/launch/cpu.yaml; else
    prepare_environment
    if [ "$(hardware_extra)" = gpu ]; then launch=configs/launch/one_gpu.yaml; else launch=configs/launch/cpu.yaml; fi
fi
ready=$SECONDS

phantoms() { # phantoms DATASET FORMAT SEED
    step "Phantoms of $1" \
        llmrg data phantom "data/phantoms/$1" --format "$2" --studies 1200 --seed "$3" --size 128 --preset easy
}

learn() { # learn DATASET
    step "Training on $1" accelerate launch --config_file "$launch" -m llmrg.train "configs/quickstart/$1.yaml"
    step "Comparison on $1" llmrg benchmark "configs/benchmark/quickstart_$1.yaml"
}

phantoms ped_xray ped-xray 1
phantoms chexpert_plus chexpert-plus 2
if $dry_run; then
    learn ped_xray
    learn chexpert_plus
else
    # Small networks gain little from a second thread, so the two data sets share the cores.
    cores=$(nproc 2>/dev/null || echo 2)
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(((cores + 1) / 2))}
    say ""
    say "== Training and comparison on both at once, $OMP_NUM_THREADS thread(s) each"
    processes=()
    trap 'kill "${processes[@]}" 2>/dev/null || true' EXIT
    for dataset in ped_xray chexpert_plus; do
        (set -o pipefail; learn "$dataset" 2>&1 | sed -u "s/^/$dataset | /") &
        processes+=($!)
    done
    for process in "${processes[@]}"; do wait "$process" || fail "a step failed; the message above says why"; done
    trap - EXIT
fi

if ! $dry_run; then
    say ""
    say "Done in $(elapsed $((SECONDS - began))) ($(elapsed $((SECONDS - ready))) without the installation)."
    say "Result page: $PWD/runs/quickstart/index.html"
fi
