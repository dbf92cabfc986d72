#!/usr/bin/env bash
# The public proof run on one H100 or H200: 107M parameters, 2.16B tokens, about an hour of training at 45% MFU,
# 1M imported documents (about 6 GB of disk in all). Run it in tmux from an empty folder; the same command goes on where it stopped.
#
#   scripts/runbooks/100m.sh
#
# PICOCHAT=PROGRAM           default: the package's or this checkout's
# PICOCHAT_GPU_USD=2.5       price of the GPU for an hour: dollars are told
# PICOCHAT_BENCHMARK=N=PATH  a benchmark that is here; default: ARC-Easy from the hub
# PICOCHAT_ROWS="800000 200000"  rows of FineWeb-Edu and of Cosmopedia
default_attention=flash
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

name=h100-smollm-100m-public-v1 run=runs/$name sources=runs/smollm-100m-sources pack=runs/smollm-100m-pack-v1
read -r fineweb cosmopedia <<<"${PICOCHAT_ROWS:-800000 200000}"
model=(--scale h100-100m --device "$device" --precision "$precision" --matmul-precision high --attn-backend "$attention" ${PICOCHAT_FLAGS:-})
opening 2162688000 679477248 1

step doctor "$PICOCHAT" doctor --device "$device"
step sanity "$PICOCHAT" sanity preh100 --out-dir runs/h100-100m-sanity-v1 --device "$device" --precision "$precision" --matmul-precision high --attn-backend "$attention" --include-compile \
  --capacity-scale h100-100m --gpu-hourly-usd "$usd"
import fineweb-edu-dedup "$fineweb" 200
import cosmopedia-v2 "$cosmopedia" 300
make_pack
benchmark
always preflight "$PICOCHAT" run tiny --out-dir "$run" --dataset-pack "$pack/dataset_pack.json" "${model[@]}" --long-run-gate-profile "${PICOCHAT_PROFILE:-skill_release}" \
  --external-eval "$PICOCHAT_BENCHMARK" --preflight-only
always dry-run "$PICOCHAT" run tiny --out-dir runs/h100-smollm-100m-public-dryrun-v1 --dataset-pack "$pack/dataset_pack.json" "${model[@]}" --base-steps 100 --sft-steps 1 --long-run-gate-profile research
always train "$PICOCHAT" run tiny --out-dir "$run" --dataset-pack "$pack/dataset_pack.json" "${model[@]}" --long-run-gate-profile "${PICOCHAT_PROFILE:-skill_release}" --external-eval "$PICOCHAT_BENCHMARK"
publish
