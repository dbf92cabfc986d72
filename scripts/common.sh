# What setup, test and quickstart share. Sourced, not run.
set -euo pipefail

PICOCHAT_CUDA=${PICOCHAT_CUDA:-auto}
PICOCHAT_ARROW=${PICOCHAT_ARROW:-auto}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/picochat

hub_client=1.33.0  # version of the Python client that uploads are tested against

say() { printf '%s\n' "$*" >&2; }
# Exit code 5: the environment, as in the program itself.
fail() {
  say "error: $*"
  exit 5
}

# One compile job takes up to 1.7 GB.
jobs_for_build() {
  local cores memory_gb jobs
  cores=$(nproc)
  memory_gb=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo 2>/dev/null || echo 4)
  jobs=$((memory_gb / 2))
  ((jobs < 1)) && jobs=1
  ((jobs > cores)) && jobs=$cores
  echo "${PICOCHAT_JOBS:-$jobs}"
}

# The folder of a CUDA toolkit, or nothing.
cuda_toolkit() {
  local candidate
  for candidate in "${CUDA_HOME:-}" "${CUDA_PATH:-}" \
      "$(command -v nvcc >/dev/null && dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")" /usr/local/cuda; do
    if [[ -n $candidate && -d $candidate/lib64 ]]; then
      readlink -f "$candidate"
      return
    fi
  done
}

# "13.0" of an nvcc, or nothing.
nvcc_version() {
  "$1/bin/nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\),.*/\1/p'
}
