# What the runbooks share. Sourced, not run. Every step is restartable: what is done is not done again, and the first that fails stops the book.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The program: PICOCHAT, the package that this lies in, the build of this checkout, or the PATH.
if [[ -z ${PICOCHAT:-} ]]; then
  for candidate in "$here/../bin/picochat" "$here/../../build/release/bin/picochat" "$(command -v picochat || true)"; do
    if [[ -n $candidate && -x $candidate ]]; then PICOCHAT=$candidate; break; fi
  done
fi
[[ -n ${PICOCHAT:-} ]] || { echo "error: picochat was not found: set PICOCHAT to the program" >&2; exit 5; }

usd=${PICOCHAT_GPU_USD:-0}          # price of one GPU for an hour; 0: dollars are not told
device=${PICOCHAT_DEVICE:-cuda} precision=${PICOCHAT_PRECISION:-bf16} attention=${PICOCHAT_ATTENTION:-$default_attention}
logs=logs
mkdir -p "$logs" runs "$logs/done"

say() { printf '%s\n' "$*" >&2; }

# opening TOKENS PARAMETERS_FLOPS_PER_TOKEN GPUS: what it will take, at 45% of an H100's 989 TFLOP/s.
opening() {
  awk -v tokens="$1" -v flops="$2" -v gpus="$3" -v usd="$usd" 'BEGIN {
    total = tokens * flops; hours = total / (0.45 * 989e12 * gpus) / 3600
    printf "budget: %.2fB tokens, %.2e FLOPs, about %.1f h on %d H100 or H200 at 45%% MFU", tokens / 1e9, total, hours, gpus
    if (usd > 0) printf ", %.0f USD", hours * gpus * usd
    printf "; sanity measures it on this host\n" }' >&2
}

# step NAME COMMAND...: runs it once, through tee into logs/NAME.log. accepted=CODE: an exit code that is no failure.
step() {
  local name=$1 status=0
  shift
  if [[ -e $logs/done/$name ]]; then say "-- $name: done before"; return; fi
  say "== $name: $*"
  "$@" 2>&1 | tee -a "$logs/$name.log" || status=${PIPESTATUS[0]}
  if ((status != 0 && status != ${accepted:-0})); then
    say "-- $name stopped with exit code $status; the lines above and $logs/$name.log say why. The same command goes on from here."
    exit "$status"
  fi
  : >"$logs/done/$name"
}

# The same, but run every time: the program itself knows what is done.
always() {
  rm -f "$logs/done/$1"
  step "$@"
}

# write FILE: standard input, unless the file is there.
write() {
  mkdir -p "$(dirname "$1")"
  if [[ -e $1 ]]; then cat >/dev/null; else cat >"$1"; fi
}

import() {
  local config=$1 rows=$2 min_chars=$3 folder=$sources/$1
  step "import-$config" "$PICOCHAT" data hf-import --dataset HuggingFaceTB/smollm-corpus --config "$config" --split train --text-column text --out "$folder/corpus.txt" \
    --documents-dir "$folder/documents" --report "$folder/hf_import_report.json" --max-rows "$rows" --min-chars "$min_chars" --document-shard-rows 1000
}

make_pack() {
  write "$pack/dataset_pack.json" <<JSON
{"name": "$name", "description": "Bounded SmolLM-Corpus pack.", "corpus": {"recipe": "corpus_recipe.json"}, "chat": "chat.jsonl", "eval": "eval.jsonl"}
JSON
  write "$pack/corpus_recipe.json" <<JSON
{"name": "$name", "description": "FineWeb-Edu-Dedup and Cosmopedia v2, imported into local document shards.",
 "sources": [{"path": "../$(basename "$sources")/fineweb-edu-dedup/documents", "label": "fineweb-edu-dedup"}, {"path": "../$(basename "$sources")/cosmopedia-v2/documents", "label": "cosmopedia-v2"}],
 "exclude": ["**/.DS_Store", "**/.git/**", "**/__pycache__/**"]}
JSON
  [[ -e $pack/chat.jsonl ]] || : >"$pack/chat.jsonl"
  [[ -e $pack/eval.jsonl ]] || : >"$pack/eval.jsonl"
  step preview "$PICOCHAT" data preview --dataset-pack "$pack/dataset_pack.json"
  step task-pack "$PICOCHAT" data task-pack --dataset-pack "$pack/dataset_pack.json" --profile release_skills --sft-rows 2800 --eval-rows 700 --skill-answer-style scratchpad --source offline --force
}

# A benchmark that the gate needs; PICOCHAT_BENCHMARK=name=path takes a file that is here.
benchmark() {
  if [[ -z ${PICOCHAT_BENCHMARK:-} ]]; then
    step benchmark "$PICOCHAT" eval fetch arc-easy --out-dir runs/benchmarks
    PICOCHAT_BENCHMARK=arc-easy=$(find runs/benchmarks -name '*arc-easy*' ! -name '*.json' -type f | sort | head -1)
  fi
}

publish() {
  step "bundle${suffix:-}" "$PICOCHAT" run bundle --run-dir "$run" --out "$name.tgz" --logs-dir "$logs" --strict
  step "verify${suffix:-}" "$PICOCHAT" run verify "$name.tgz"
  step "export${suffix:-}" "$PICOCHAT" export hf --checkpoint "$run/sft/checkpoint" --tokenizer "$run/tokenizer.json" --out-dir "exports/$name" --model-name "$name" --license "${license:-mit}" \
    --dataset-summary "${summary:-Bounded HuggingFaceTB/smollm-corpus fineweb-edu-dedup + cosmopedia-v2 pack.}" --eval-summary "See the attached evidence: summary, gate, eval and honesty reports."
  say "done: $name.tgz and exports/$name; to publish: $PICOCHAT export hf ... --push-to-hub --repo-id NAME/$name (an approved run only)"
}
