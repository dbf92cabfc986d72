#!/usr/bin/env python3
"""The DPO figures of a report against PyTorch: loss, accuracy and margin of the held-out pairs.

    picochat export hf --checkpoint RUN/dpo/checkpoint --tokenizer RUN/tokenizer.json --out-dir policy
    picochat export hf --checkpoint RUN/sft/checkpoint --tokenizer RUN/tokenizer.json --out-dir reference
    dpo_check.py policy reference pairs.jsonl RUN/dpo/dpo_report.json

Both models are loaded with transformers; sequences are put together here, token by token. Exit code 1 when a figure differs by more than 1e-4.
"""
import json
import sys

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

policy_folder, reference_folder, pairs, report = sys.argv[1:5]
load = lambda folder: AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()
policy, reference = load(policy_folder), load(reference_folder)
tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{policy_folder}/tokenizer.json")
encode = lambda text: tokenizer.encode(text, add_special_tokens=False)
special = tokenizer.convert_tokens_to_ids


@torch.no_grad()
def log_probability(model, user, reply):
    prompt = [special("<bos>"), special("<|user|>"), *encode(user), special("<|end|>"), special("<|assistant|>")]
    answer = [*encode(reply), special("<|end|>"), special("<eos>")]
    scores = model(torch.tensor([prompt + answer])).logits[0].double().log_softmax(-1)
    return sum(scores[len(prompt) - 1 + i, token].item() for i, token in enumerate(answer))


rows = [json.loads(line) for line in open(pairs) if line.strip()]
report = json.load(open(report))
beta = report["dataset"]["sampling"]["beta"]
margins = []
for index in report["dataset"]["validation"]["row_indices"]:
    row = rows[index]
    gain = lambda reply: log_probability(policy, row["user"], reply) - log_probability(reference, row["user"], reply)
    margins.append(gain(row["chosen"]) - gain(row["rejected"]))
margins = torch.tensor(margins, dtype=torch.float64)
ours = [row for row in report["losses"] if row["best"]][-1]
theirs = {"val_loss": -torch.nn.functional.logsigmoid(beta * margins).mean().item(), "val_accuracy": (margins > 0).double().mean().item(), "val_reward_margin": margins.mean().item()}
worst = 0
for key, value in theirs.items():
    print(f"{key}: picochat {ours[key]:.6f}, PyTorch {value:.6f}")
    worst = max(worst, abs(ours[key] - value))
print(f"{len(margins)} pairs, largest difference {worst:.1e}")
sys.exit(worst > 1e-4)
