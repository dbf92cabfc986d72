#!/usr/bin/env bash
# The first proof: a small model trained, judged as a release and bundled. 1.2M parameters, 23M tokens and 8M of SFT: about twenty
# minutes on two quiet CPU cores with AVX-512, an hour on older ones, 45 MB of downloads, 1 GB of disk, no GPU, no money. Needs Debian's apt and
# dpkg-deb (no root). Run it from an empty folder; the same command goes on where it stopped.
#
#   scripts/runbooks/proof.sh
#
# PICOCHAT=PROGRAM             default: the package's or this checkout's
# PICOCHAT_SCALE=proof-gpu     15.5M parameters on one H100 or H200 in minutes (PICOCHAT_DEVICE=cuda PICOCHAT_PRECISION=bf16)
# PICOCHAT_BENCHMARK="N=PATH"  benchmarks that are here, blanks between several; default: ARC-Easy from the hub
# PICOCHAT_TEXT=DIR            *.jsonl documents that are here, instead of Debian's packages
# PICOCHAT_SKILLS="MATH SPELLING CHOICE FACTS SFT EVAL"  rows of drills, facts told, SFT and eval
# PICOCHAT_SEEDS=3             consecutive seeds, with an aggregate report
# PICOCHAT_PYTHON=python3      with transformers: the export is loaded and compared
: "${PICOCHAT_DEVICE:=cpu}" "${PICOCHAT_PRECISION:=float32}"
default_attention=auto
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scale=${PICOCHAT_SCALE:-proof-cpu} name=picochat-$scale-v1 run=runs/$name pack=runs/$name-pack sources=runs/$name-sources
license=gpl-3.0 summary="Dictionaries, the Jargon File and manuals from Debian packages, with drills and facts told by picochat data skills-corpus; licences in sources.tsv."
read -r math spelling choice facts sft eval_rows <<<"${PICOCHAT_SKILLS:-60000 60000 100000 30000 24000 700}"
model=(--scale "$scale" --device "$device" --precision "$precision" --attn-backend "$attention" ${PICOCHAT_FLAGS:-})
profile=${PICOCHAT_PROFILE:-skill_release} seeds=${PICOCHAT_SEEDS:-1}

# package, file in it, how it is cut, every Nth entry, licence (as its copyright file says)
packages() {
  cat <<'TABLE'
dict-gcide            usr/share/dictd/gcide.dict.dz                                         entries 6  GPL-3.0-or-later
dict-wn               usr/share/dictd/wn.dict.dz                                            entries 12 WordNet-3.0
dict-foldoc           usr/share/dictd/foldoc.dict.dz                                        entries 2  GFDL-1.1-or-later
dict-jargon           usr/share/dictd/jargon.dict.dz                                        entries 1  public-domain
dict-devil            usr/share/dictd/devil.dict.dz                                         entries 1  public-domain
dict-elements         usr/share/dictd/elements.dict.dz                                      entries 1  public-domain
debian-reference-en   usr/share/debian-reference/debian-reference.en.txt.gz                 pages   1  GPL-2.0-or-later
developers-reference  usr/share/developers-reference/developers-reference.txt.gz            pages   1  GPL-2.0-or-later
debian-policy         usr/share/doc/debian-policy/policy.txt.gz                             pages   1  GPL-2.0-or-later
TABLE
}

# Text as documents, and sources.tsv: what it is, in which version, under which licence.
text() {
  local package file mode every license version digest
  mkdir -p "$sources/debs" "$sources/text"
  printf 'package\tversion\tlicence\tsha256\n' >"$sources/sources.tsv.new"
  while read -r package file mode every license; do
    if ! ls "$sources/debs/${package}_"*.deb >/dev/null 2>&1; then (cd "$sources/debs" && apt-get download "$package") || return 5; fi
    rm -rf "$sources/unpacked"; dpkg-deb -x "$sources/debs/${package}_"*.deb "$sources/unpacked"
    [[ -s $sources/unpacked/$file ]] || { echo "error: $package has no $file: another version of the package; correct its line in proof.sh" >&2; return 4; }
    zcat <"$sources/unpacked/$file" | tr -d '\000-\010\013-\037' | iconv -c -f UTF-8 -t UTF-8 | LC_ALL=C awk -v mode="$mode" -v every="$every" -f "$here/documents.awk" >"$sources/text/$package.jsonl"
    version=$(dpkg-deb -f "$sources/debs/${package}_"*.deb Version) digest=$(sha256sum "$sources/debs/${package}_"*.deb | cut -d' ' -f1)
    printf '%s\t%s\t%s\t%s\n' "$package" "$version" "$license" "$digest" >>"$sources/sources.tsv.new"
    echo "$package $version: $(wc -l <"$sources/text/$package.jsonl") documents, $license"
  done < <(packages)
  rm -rf "$sources/unpacked"
  mv "$sources/sources.tsv.new" "$sources/sources.tsv"
}

given_text() {
  mkdir -p "$sources/text"
  cp "$PICOCHAT_TEXT"/*.jsonl "$sources/text/"
  { printf 'package\tversion\tlicence\tsha256\n'; for file in "$sources"/text/*.jsonl; do printf '%s\tgiven\t%s\t%s\n' "$(basename "$file" .jsonl)" "${PICOCHAT_TEXT_LICENSE:-unknown}" "$(sha256sum "$file" | cut -d' ' -f1)"; done; } >"$sources/sources.tsv"
}

# Each source without the documents that hold an eval row or a row of a benchmark.
clean() {
  local file
  for file in "$sources"/text/*.jsonl; do
    rm -rf "$sources/clean/$(basename "$file" .jsonl)"
    "$PICOCHAT" data decontaminate --corpus "$file" --eval-input "$pack/eval_task_mixture_release_skills.jsonl" "${external[@]}" --out "$sources/clean/$(basename "$file" .jsonl)" || return
  done
}

recipe() {  # FOLDER: the corpus, with what is known of its sources
  awk -F'\t' -v folder="$1" 'NR > 1 { printf "%s{\"path\": \"%s/clean/%s/documents\", \"label\": \"%s\", \"license\": \"%s\", \"origin\": \"package %s %s\", \"revision\": \"sha256:%s\"}", (NR > 2 ? ",\n " : "{\"name\": \"proof\", \"sources\": [\n "), folder, $1, $1, $3, $1, $2, $4 }
    END { printf ",\n {\"path\": \"%s/drills\", \"label\": \"drills\", \"license\": \"MIT\", \"origin\": \"picochat data skills-corpus\", \"revision\": \"seed 42\"}]}\n", folder }' "$sources/sources.tsv"
}

say "budget: $scale; twenty minutes a seed on two quiet CPU cores with AVX-512, an hour on older ones, minutes on one H100; sanity measures this host, preflight tells the time"
step doctor "$PICOCHAT" doctor --device "$device"
if [[ -n ${PICOCHAT_TEXT:-} ]]; then step text given_text; else step text text; fi
cp "$sources/sources.tsv" "$logs/"
step drills "$PICOCHAT" data skills-corpus --out "$sources/drills.txt" --documents-dir "$sources/drills" --math-rows "$math" --spelling-rows "$spelling" --choice-rows "$choice" --fact-rows "$facts" --force
write "$pack/dataset_pack.json" <<JSON
{"name": "$name", "description": "Text of Debian packages, and drills.", "corpus": {"recipe": "corpus_recipe.json"}, "chat": "chat.jsonl", "eval": "eval.jsonl"}
JSON
recipe "../$(basename "$sources")" >"$pack/corpus_recipe.json.new"
mv "$pack/corpus_recipe.json.new" "$pack/corpus_recipe.json"
[[ -e $pack/chat.jsonl ]] || : >"$pack/chat.jsonl"
[[ -e $pack/eval.jsonl ]] || : >"$pack/eval.jsonl"
step task-pack "$PICOCHAT" data task-pack --dataset-pack "$pack/dataset_pack.json" --profile release_skills --sft-rows "$sft" --eval-rows "$eval_rows" --skill-answer-style scratchpad --source offline --force
benchmark
external=()
for one in $PICOCHAT_BENCHMARK; do external+=(--external-eval "$one"); done
step clean clean
step preview "$PICOCHAT" data preview --dataset-pack "$pack/dataset_pack.json"
step sanity "$PICOCHAT" sanity preh100 --out-dir "runs/$name-sanity" --device "$device" --precision "$precision" --attn-backend "$attention" --capacity-scale "$scale"

tiny=("$PICOCHAT" run tiny --out-dir "$run" --dataset-pack "$pack/dataset_pack.json" "${model[@]}" "${external[@]}" --long-run-gate-profile "${PICOCHAT_PROFILE:-skill_release}")
# A short run of the very shape tells preflight this host's speed.
step dry-run "$PICOCHAT" run tiny --out-dir "$run-dryrun" --dataset-pack "$pack/dataset_pack.json" "${model[@]}" --base-steps "${PICOCHAT_DRY_STEPS:-30}" --base-lr-warmup-steps 5 --val-tokens 4096 --sft-steps 1 --sft-lr-warmup-steps 0 --sft-fit-max-rows 20 \
  --eval-max-new-tokens 1 --long-run-gate-profile research
if ((seeds > 1)); then tiny+=(--n-seeds "$seeds"); fi
always preflight "${tiny[@]}" --preflight-only
# A blocked verdict is a result too: it is bundled and told.
accepted=3 always train "${tiny[@]}"
for gate in "$run"/gate/gate.json "$run"/seed-*/gate/gate.json; do
  [[ -e $gate ]] || continue
  run=$(dirname "$(dirname "$gate")")
  if ((seeds > 1)); then suffix=-${run##*/} name=picochat-$scale-v1$suffix; fi
  say "verdict: $("$PICOCHAT" gate replay "$run" | tail -1)"
  publish
  if [[ -n ${PICOCHAT_PYTHON:-} ]]; then
    step "transformers${suffix:-}" "$PICOCHAT" export hf --checkpoint "$run/sft/checkpoint" --tokenizer "$run/tokenizer.json" --out-dir "exports/$name" --model-name "$name" --license "$license" --verify-with-python --python "$PICOCHAT_PYTHON"
  fi
  step "chat${suffix:-}" "$PICOCHAT" chat --run "$run" --temperature 0 <<'TEXT'
Who are you?
What is 27 + 35?
Spell the word lantern.
What will the weather be tomorrow?
TEXT
done
