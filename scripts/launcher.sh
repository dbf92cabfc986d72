#!/bin/sh
# Starts picochat with the LibTorch of this host: the first of
#   PICOCHAT_TORCH_ROOT                          a folder with lib/ of LibTorch 2.11
#   ~/.cache/picochat/libtorch-2.11.0/torch      what picochat-fetch-torch unpacked
#   the torch 2.11 of PICOCHAT_PYTHON (python3)  any installed wheel with CUDA 13
set -u
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd) || exit 5
wanted=@TORCH_VERSION@
cuda=@CUDA@  # 1: the program was built with CUDA

stop() {
  echo "error: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 5
}

torch=
said=
try() {
  [ -n "$torch" ] && return
  if [ ! -e "$1/lib/libtorch_cpu.so" ]; then return; fi
  if [ "$cuda" = 1 ] && [ ! -e "$1/lib/libtorch_cuda.so" ]; then
    said="$said
  passed over: $1 (a build without CUDA; this program needs libtorch_cuda.so)"
    return
  fi
  torch=$1
}

if [ -n "${PICOCHAT_TORCH_ROOT:-}" ]; then
  try "$PICOCHAT_TORCH_ROOT"
  [ -n "$torch" ] || stop "there is no LibTorch that fits in PICOCHAT_TORCH_ROOT" "where:    $PICOCHAT_TORCH_ROOT" "expected: the folder with lib/libtorch_cpu.so of LibTorch $wanted" "to do:    point it there, or unset it"
fi
try "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/picochat/libtorch-$wanted/torch"
if [ -z "$torch" ]; then
  python=${PICOCHAT_PYTHON:-python3}
  # Where the package lies and its version, without loading it.
  found=$("$python" -c '
import importlib.util, pathlib, re
spec = importlib.util.find_spec("torch")
if spec and spec.submodule_search_locations:
    folder = pathlib.Path(list(spec.submodule_search_locations)[0])
    text = (folder / "version.py").read_text() if (folder / "version.py").exists() else ""
    version = re.search(r"__version__ = [^0-9]*([0-9.]+)", text)
    print(version[1] if version else "unknown", folder)
' 2>/dev/null)
  case $found in
    "$wanted "*) try "${found#* }" ;;
    ?*) said="$said
  passed over: torch ${found%% *} of $python (this program needs $wanted)" ;;
  esac
fi
size="550 MB"
[ "$cuda" = 1 ] && size="2.5 GB, with CUDA's libraries"
[ -n "$torch" ] || stop "LibTorch $wanted was not found on this host$said" "to do:    run $here/bin/picochat-fetch-torch ($size, once; it needs python3 and pip)," "          or install it for Python: pip install torch==$wanted," "          or set PICOCHAT_TORCH_ROOT to a folder with its lib/"

path=$torch/lib
for folder in "$torch"/../nvidia/*/lib /usr/local/cuda/lib64 /usr/local/cuda/extras/CUPTI/lib64; do
  [ -d "$folder" ] && path=$path:$folder
done
# Libraries of the distribution that are not here come with the package.
if command -v ldconfig >/dev/null 2>&1; then known=$(ldconfig -p); elif [ -x /sbin/ldconfig ]; then known=$(/sbin/ldconfig -p); else known=; fi
for library in @HOST_LIBRARIES@; do
  case $known in
    *"$library "*) ;;
    *) path=$path:$here/lib/fallback; break ;;
  esac
done
LD_LIBRARY_PATH=$path${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$here/libexec/picochat" "$@"
