#!/usr/bin/env python3
"""How fast is greedy decoding beside transformers `generate`, same model, same machine, in turn?

  decode_compare.py PICOCHAT CHECKPOINT TOKENIZER EXPORT [--new-tokens 200] [--batches 1,8,32] [--rounds 3] [--threads 2]

EXPORT: what `picochat export hf` wrote for CHECKPOINT in float32. Both sides generate `new-tokens` tokens for each of a batch of prompts of one
length, with a key-value cache. picochat is timed as whole commands, once with many new tokens and once with few, so that starting and reading the
prompt drop out of the difference; transformers is timed in its process the same way, after a warm-up. Prints the median of the rounds in tokens a
second, the ratio, and whether the texts are equal. Needs torch and transformers.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def picochat_seconds(args, prompts, new_tokens):
    begun = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    out = subprocess.run(
        [args.picochat, "generate", "--checkpoint", args.checkpoint, "--tokenizer", args.tokenizer, "--input", prompts, "--batch-rows", "64", "--threads", str(args.threads), "--temperature", "0",
         "--top-k", "0", "--max-new-tokens", str(new_tokens), "--json"],
        check=True, capture_output=True, text=True, env=environment).stdout
    seconds = time.monotonic() - begun
    return seconds, [json.loads(line) for line in out.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picochat")
    parser.add_argument("checkpoint")
    parser.add_argument("tokenizer")
    parser.add_argument("export")
    parser.add_argument("--new-tokens", type=int, default=200)
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.export, trust_remote_code=True)
    model = AutoModelForCausalLM.from_pretrained(args.export, trust_remote_code=True, dtype=torch.float32).eval()
    few = 8

    def transformers_seconds(ids, new_tokens):
        begun = time.monotonic()
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False, use_cache=True, pad_token_id=0)
        return time.monotonic() - begun, out

    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {type(model).__name__}, {args.threads} threads, {args.new_tokens} new tokens")
    for batch in map(int, args.batches.split(",")):
        words = "The river carries a letter to the old market and the bridge keeps every door open".split()
        texts = [" ".join(words[i % 8 :] + words[: i % 8]) for i in range(batch)]
        encoded = [[tokenizer.bos_token_id] + tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        length = min(map(len, encoded))
        encoded = [ids[:length] for ids in encoded]
        texts = [tokenizer.decode(ids[1:]) for ids in encoded]
        ids = torch.tensor(encoded)
        ours, theirs, equal = [], [], 0
        with tempfile.TemporaryDirectory() as folder:
            prompts = pathlib.Path(folder, "prompts.jsonl")
            prompts.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
            transformers_seconds(ids, few)
            for _ in range(args.rounds):
                long_seconds, answers = picochat_seconds(args, str(prompts), args.new_tokens)
                short_seconds, _ = picochat_seconds(args, str(prompts), few)
                made = [answer["completion_tokens"] for answer in answers]
                if min(made) < args.new_tokens:
                    sys.exit(f"a text ended after {min(made)} tokens: choose a checkpoint that goes on")
                ours.append(batch * (args.new_tokens - few) / (long_seconds - short_seconds))
                long_seconds, out = transformers_seconds(ids, args.new_tokens)
                short_seconds, _ = transformers_seconds(ids, few)
                theirs.append(batch * (args.new_tokens - few) / (long_seconds - short_seconds))
                theirs_text = [tokenizer.decode(row[length:]) for row in out]
                equal = sum(a["text"].endswith(b) or a["text"] == b for a, b in zip(answers, theirs_text))
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"batch {batch}: {a:.0f} tokens/s here, {b:.0f} there, {a / b:.1f} times; texts equal {equal} of {batch}")


if __name__ == "__main__":
    main()
