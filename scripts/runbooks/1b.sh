#!/usr/bin/env bash
# The 1B run on one host with eight H200: 1.12B parameters, 22.4B tokens, about 12.5 hours of training at 45% MFU, some 100 GB of
# disk. It comes after the 100M run has its bundle. Run it in tmux from an empty folder; the same command goes on where it stopped.
#
#   scripts/runbooks/1b.sh
#
# PICOCHAT=PROGRAM           default: the package's or this checkout's
# PICOCHAT_GPU_USD=2.5       price of one GPU for an hour: dollars are told
# PICOCHAT_GPUS=8            ranks
# PICOCHAT_BENCHMARK=N=PATH  a benchmark that is here; default: ARC-Easy from the hub
# PICOCHAT_ROWS="8000000 3000000"  rows of FineWeb-Edu and of Cosmopedia
# PICOCHAT_MIRROR=DIR        a disk that outlives the host: checkpoints are copied there as they appear
default_attention=auto
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

name=h200-smollm-1b-public-v1 run=runs/$name sources=runs/smollm-1b-sources pack=runs/smollm-1b-pack-v1 gpus=${PICOCHAT_GPUS:-8}
read -r fineweb cosmopedia <<<"${PICOCHAT_ROWS:-8000000 3000000}"
model=(--scale h200-1b-ddp8 --device "$device" --precision "$precision" --matmul-precision high --attn-backend "$attention" ${PICOCHAT_FLAGS:-})
mirror=(); if [[ -n ${PICOCHAT_MIRROR:-} ]]; then mirror=(--mirror "$PICOCHAT_MIRROR"); fi
ranks=("$PICOCHAT" launch --nproc-per-node "$gpus" --max-restarts 3 --)
opening 22439526400 7100891136 "$gpus"

step doctor "$PICOCHAT" doctor --device "$device"
step sanity "$PICOCHAT" sanity preh100 --out-dir runs/h200-1b-sanity-v1 --device "$device" --precision "$precision" --matmul-precision high --attn-backend "$attention" --include-compile \
  --capacity-scale h200-1b-ddp8 --gpu-hourly-usd "$usd"
import fineweb-edu-dedup "$fineweb" 200
import cosmopedia-v2 "$cosmopedia" 300
make_pack
benchmark
always preflight "$PICOCHAT" run tiny --out-dir "$run" --dataset-pack "$pack/dataset_pack.json" "${model[@]}" --ddp --ddp-world-size "$gpus" --long-run-gate-profile "${PICOCHAT_PROFILE:-skill_release}" \
  --external-eval "$PICOCHAT_BENCHMARK" --preflight-only
always dry-run "${ranks[@]}" run tiny --out-dir runs/h200-smollm-1b-public-dryrun-v1 --dataset-pack "$pack/dataset_pack.json" "${model[@]}" --base-steps 100 --sft-steps 1 --long-run-gate-profile research
always train "${ranks[@]}" run tiny --out-dir "$run" --dataset-pack "$pack/dataset_pack.json" "${model[@]}" "${mirror[@]}" --long-run-gate-profile "${PICOCHAT_PROFILE:-skill_release}" \
  --external-eval "$PICOCHAT_BENCHMARK"
publish
