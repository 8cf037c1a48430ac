#!/usr/bin/env bash
# Installs the development extras into .venv and runs every check. Arguments go to pytest:
#
#   bash scripts/test.sh                                 everything
#   bash scripts/test.sh tests/llmrg/metrics -k bleu     one part
#
#   LLMRG_TEST_DATA      folder with real samples; tests that need it are skipped without it
#   LLMRG_TEST_WORKERS   processes for pytest (default: one a core)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/environment.sh

prepare_environment dev

check() { # check NAME COMMAND...: runs it, goes on after a failure, remembers it
    local name=$1 start=$SECONDS
    shift
    say "== $name"
    if "$@"; then say "   $name: passed in $(elapsed $((SECONDS - start)))"; else
        say "   $name: FAILED after $(elapsed $((SECONDS - start)))"
        failed+=("$name")
    fi
}

failed=()
check "ruff" ruff check .
check "ruff format" ruff format --check .
check "mypy" mypy
check "import-linter" lint-imports
check "pytest" env OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= pytest -n "${LLMRG_TEST_WORKERS:-auto}" --dist loadfile --no-loadscope-reorder "$@"

if [ ${#failed[@]} -gt 0 ]; then fail "failed: ${failed[*]}"; fi
say "All checks passed."
