# Sourced by quickstart.sh and test.sh from the root of the checkout: makes .venv and installs llmrg into it.
#
#   LLMRG_TORCH_INDEX   package index from which torch and torchvision are installed (one with CPU-only builds saves
#                       gigabytes on a machine without a GPU); everything else comes from pip's own index
#   LLMRG_PYTHON        interpreter that makes .venv (3.11 or 3.12; otherwise the first of python3.11, python3.12, python3)
#
# pip's own variables and configuration (index, mirrors, find-links, proxy, certificates) hold as usual.

# glibc hands the memory of every freed tensor back to the kernel; without the page faults that brings, training on a
# processor takes about a sixth less (docs/performance.md). Other C libraries pass over it.
export GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296}

say() { printf '%s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

elapsed() { # elapsed SECONDS -> "3 min 07 s"
    if [ "$1" -ge 60 ]; then printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi
}

hardware_extra() { # the extra that fits this machine: gpu or cpu
    if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then echo gpu; else echo cpu; fi
}

find_python() {
    local candidate
    for candidate in ${LLMRG_PYTHON:-python3.11 python3.12 python3}; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or 3.12 with venv and ensurepip was found (on Debian: apt install python3.11-venv); LLMRG_PYTHON names another one"
}

make_environment() {
    local python
    # Its programs carry its own path: one that was moved with the checkout is made again.
    if grep -qF "$(pwd -P)/.venv" .venv/bin/activate 2>/dev/null && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    python=$(find_python)
    say "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
}

fingerprint() { # fingerprint EXTRAS: changes whenever an installed environment would have to change
    { cat pyproject.toml site_hook/*; printf '%s\n' "$1" "${LLMRG_TORCH_INDEX:-}"; pwd -P; } |
        .venv/bin/python -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

# prepare_environment [EXTRA...]: .venv with llmrg, the extra for this machine's hardware and the ones named.
# Nothing is installed when a stamp says that pyproject.toml has not changed since.
prepare_environment() {
    local start=$SECONDS hardware extras stamp
    make_environment
    hardware=$(hardware_extra)
    extras=$(IFS=,; echo "$hardware${1:+,$*}")
    stamp=".venv/llmrg-${extras//,/-}.stamp"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint "$extras")" ]; then
        say "Installing llmrg[$extras] into .venv"
        install_llmrg "$hardware" "$extras"
        fingerprint "$extras" >"$stamp"
        fingerprint "$hardware" >".venv/llmrg-$hardware.stamp"
        say "Installed in $(elapsed $((SECONDS - start)))"
    fi
    # Tools that programs start by name (accelerate, ninja for DeepSpeed's operators) are those of .venv.
    PATH="$PWD/.venv/bin:$PATH"
    export PATH
}

install_llmrg() { # install_llmrg HARDWARE EXTRAS
    local quiet=--quiet pins
    if [ -t 1 ]; then quiet=; fi
    if [ -n "${LLMRG_TORCH_INDEX:-}" ]; then
        pins=$(sed -nE 's/^ *"(torch(vision)?==[^"]+)",$/\1/p' pyproject.toml)
        # shellcheck disable=SC2086  # two requirements, and an option that may be empty
        .venv/bin/python -m pip install $quiet --no-deps --index-url "$LLMRG_TORCH_INDEX" $pins
    elif [ "$1" = cpu ]; then
        say "No GPU found: if pip's index has only the CUDA build of torch (gigabytes), name one with CPU builds in LLMRG_TORCH_INDEX"
    fi
    # shellcheck disable=SC2086
    .venv/bin/python -m pip install $quiet --editable ".[$2]"
}
