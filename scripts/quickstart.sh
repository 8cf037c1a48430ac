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

step "Phantoms with Chinese reports, two views" \
    llmrg data phantom data/phantoms/ped_xray --format ped-xray --studies 1200 --seed 1 --size 128 --preset easy
step "Phantoms with English reports" \
    llmrg data phantom data/phantoms/chexpert_plus --format chexpert-plus --studies 1200 --seed 2 --size 128 --preset easy
for dataset in ped_xray chexpert_plus; do
    step "Training on $dataset" \
        accelerate launch --config_file "$launch" -m llmrg.train "configs/quickstart/$dataset.yaml"
    step "Comparison on $dataset" \
        llmrg benchmark "configs/benchmark/quickstart_$dataset.yaml"
done

if ! $dry_run; then
    say ""
    say "Done in $(elapsed $((SECONDS - began))) ($(elapsed $((SECONDS - ready))) without the installation)."
    say "Result page: $PWD/runs/quickstart/index.html"
fi
