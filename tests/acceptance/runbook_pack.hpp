// The pack of the founding runbook, as its shell commands write it, and the preview of it.
#pragma once

namespace picochat::acceptance {

inline constexpr const char* kRunbookPack = R"(
mkdir -p runs/smollm-100m-pack-v1
cat > runs/smollm-100m-pack-v1/dataset_pack.json <<'JSON'
{
"name": "smollm-100m-public-v1",
"description": "Bounded SmolLM-Corpus pack for the Picochat 100M public proof run.",
"corpus": {"recipe": "corpus_recipe.json"},
"chat": "chat.jsonl",
"eval": "eval.jsonl"
}
JSON
cat > runs/smollm-100m-pack-v1/corpus_recipe.json <<'JSON'
{
"name": "smollm-100m-public-v1",
"description": "FineWeb-Edu-Dedup plus Cosmopedia v2, imported into local document shards.",
"sources": [
{
"path": "../smollm-100m-sources/fineweb-edu-dedup/documents",
"label": "fineweb-edu-dedup"
},
{
"path": "../smollm-100m-sources/cosmopedia-v2/documents",
"label": "cosmopedia-v2"
}
],
"exclude": [
"**/.DS_Store",
"**/.git/**",
"**/__pycache__/**"
]
}
JSON
touch runs/smollm-100m-pack-v1/chat.jsonl
touch runs/smollm-100m-pack-v1/eval.jsonl
)";

inline constexpr const char* kRunbookPreview = R"(
picochat data preview \
--dataset-pack runs/smollm-100m-pack-v1/dataset_pack.json \
2>&1 | tee logs/preview-smollm-100m-pack-v1.log
)";

}  // namespace picochat::acceptance
