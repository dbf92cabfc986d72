#!/usr/bin/env python3
"""Do models that transformers made compute the same after `import hf`?

    tools/oracle/import_check.py PICOCHAT WORK     # WORK/tokenizer.json as export_check.py makes it

Random models of every class that can be imported, saved by transformers itself in float32, bfloat16 and shards, are imported, exported again and loaded
again: logits within 1e-4 in float32 and greedy replies of both must be equal. `eval chat`
must accept the imported checkpoint. Models of shapes that picochat lacks must be refused, naming the key. Needs torch and transformers.
"""
import json
import pathlib
import shutil
import subprocess
import sys

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

SHAPE = dict(hidden_size=96, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, intermediate_size=256, max_position_embeddings=128, initializer_range=0.2,
             bos_token_id=1, eos_token_id=2, pad_token_id=0)
COHERE = dict(layer_types=["full_attention"] * 3, mlp_layer_types=["dense"] * 3, prefix_dense_sliding_window_pattern=1, prefix_dense_intermediate_size=256, logit_scale=1.0, rms_norm_eps=1e-5)
MODELS = {
    "qwen3": ("qwen3", dict(head_dim=16, tie_word_embeddings=True)),
    "qwen3-untied": ("qwen3", dict(head_dim=16, tie_word_embeddings=False, rms_norm_eps=1e-5)),
    "llama": ("llama", dict(tie_word_embeddings=False)),
    "llama-tied-wide": ("llama", dict(tie_word_embeddings=True, intermediate_size=200)),
    "llama-biases": ("llama", dict(tie_word_embeddings=False, attention_bias=True, mlp_bias=True)),
    "mistral": ("mistral", dict(tie_word_embeddings=False, sliding_window=None, head_dim=16)),
    "qwen2": ("qwen2", dict(tie_word_embeddings=True)),
    "qwen2-untied-wide": ("qwen2", dict(tie_word_embeddings=False, intermediate_size=336)),
    "cohere2-moe": ("cohere2_moe", dict(head_dim=16, tie_word_embeddings=True, **COHERE)),
}
REFUSED = {
    "head_dim": ("qwen3", dict(head_dim=32)),
    "sliding_window": ("mistral", dict(sliding_window=64, head_dim=16)),
    "rope_parameters": ("llama", dict(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0})),
    "hidden_act": ("llama", dict(hidden_act="gelu")),
    "model_type": ("gpt_neox", {}),
}
STORED = {"float32": {}, "bfloat16": dict(dtype=torch.bfloat16), "sharded": dict(max_shard_size="100KB")}


transformers.utils.logging.disable_progress_bar()


def build(kind, shape, vocab, seed):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **(SHAPE | shape | {"vocab_size": vocab}))).float().eval()
    with torch.no_grad():  # norms of 1 and biases of 0 would hide a tensor in the wrong place
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def save(model, folder, tokenizer, dtype=None, **flags):
    shutil.rmtree(folder, ignore_errors=True)
    (model.to(dtype) if dtype else model).save_pretrained(folder, **flags)
    model.float()
    shutil.copy(tokenizer, folder / "tokenizer.json")


def run(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True)


def logits(folder, ids, **flags):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=True, **flags).eval()
    with torch.no_grad():
        return model(ids).logits, model.generate(ids[:1], max_new_tokens=16, do_sample=False, eos_token_id=None)[0, ids.shape[1]:].tolist()


def check(program, work, tokenizer, vocab, name, kind, shape, form, flags):
    folder, imported, back = work / name / form, work / name / (form + "-imported"), work / name / (form + "-back")
    save(build(kind, shape, vocab, len(name)), folder, tokenizer, **flags)
    for old in (imported, back):
        shutil.rmtree(old, ignore_errors=True)
    done = run(program, "import", "hf", "--model", folder, "--out-dir", imported)
    assert done.returncode == 0, done.stderr
    done = run(program, "export", "hf", "--checkpoint", imported / "checkpoint", "--tokenizer", imported / "tokenizer.json", "--out-dir", back, "--license", "mit")
    assert done.returncode == 0, done.stderr
    ids = torch.randint(8, vocab, (2, 48), generator=torch.Generator().manual_seed(5))
    (theirs, reply), (ours, again) = logits(folder, ids), logits(back, ids)
    difference = float((theirs - ours).abs().max() / max(1.0, theirs.abs().max()))
    assert difference <= 1e-4, f"{name} {form}: logits differ by {difference}"
    assert reply == again, f"{name} {form}: replies differ"
    if form == "float32":
        rows = work / "rows.jsonl"
        rows.write_text(json.dumps({"category": "qa", "user": "What is 2+2?", "contains": "4"}) + "\n")
        done = run(program, "eval", "chat", "--checkpoint", imported / "checkpoint", "--tokenizer", imported / "tokenizer.json", "--input", rows, "--out-dir", work / name / "asked",
                   "--max-new-tokens", "2")
        assert done.returncode == 0, done.stderr
    return difference


def main(program, work):
    tokenizer = work / "tokenizer.json"
    vocab = len(json.loads(tokenizer.read_text())["model"]["vocab"])
    work = work / "imports"
    work.mkdir(exist_ok=True)
    worst = 0.0
    for name, (kind, shape) in MODELS.items():
        for form, flags in STORED.items():
            difference = check(program, work, tokenizer, vocab, name, kind, shape, form, flags)
            worst = max(worst, difference)
            print(name, form, f"logits within {difference:.1e}, replies equal", flush=True)
    for key, (kind, shape) in REFUSED.items():
        folder = work / ("refused-" + key)
        save(build(kind, shape, vocab, 1), folder, tokenizer)
        done = run(program, "import", "hf", "--model", folder, "--out-dir", work / "never")
        assert done.returncode == 4 and key in done.stderr and not (work / "never").exists(), (key, done.stderr)
        print("refused:", key)
    print(f"transformers {transformers.__version__}: {len(MODELS) * len(STORED)} imports, largest logit difference {worst:.1e}; {len(REFUSED)} refused as they must be")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
