"""Loads an exported folder with Hugging Face transformers, offline, and compares it with what picochat computed.

verify_export.py EXPORT EXPECTED   -- EXPECTED holds expected.json and expected.safetensors.
Prints one JSON object; exit code 0 when every check passed, 3 when one failed.
"""

import json
import os
import sys

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def relative_difference(theirs, ours):
    return (theirs - ours).abs().max().item() / max(1.0, ours.abs().max().item())


def until_special(ids):
    """A reply ends at the first special token; those are the ids below 8."""
    out = []
    for token in ids:
        if token < 8:
            break
        out.append(token)
    return out


def check_model(folder, expected, tensors, checks, report):
    remote = expected["remote_code"]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=remote).eval()
    report["class"] = type(model).__name__
    report["parameters"] = model.num_parameters()
    checks["class"] = report["class"] == expected["class"]
    checks["parameters"] = report["parameters"] == expected["parameters"]
    prompts = [tensors[f"ids.{i}"].long() for i in range(expected["prompts"])]
    ours = [tensors[f"logits.{i}"] for i in range(expected["prompts"])]
    with torch.no_grad():
        alone = max(relative_difference(model(p[None]).logits[0], o) for p, o in zip(prompts, ours))
        longest = max(len(p) for p in prompts)
        pad = model.config.pad_token_id
        batch = torch.stack([torch.cat((torch.full((longest - len(p),), pad), p)) for p in prompts])
        mask = torch.stack([torch.cat((torch.zeros(longest - len(p)), torch.ones(len(p)))) for p in prompts]).long()
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        padded = model(batch, attention_mask=mask, position_ids=positions).logits
        together = max(relative_difference(padded[i, longest - len(p):], o) for i, (p, o) in enumerate(zip(prompts, ours)))
        report["logits_largest_difference"] = alone
        report["padded_largest_difference"] = together
        checks["logits"] = alone <= expected["tolerance"]
        checks["padded_batch"] = together <= expected["tolerance"]
        new = expected["new_tokens"]
        if new > 0:
            made = [model.generate(p[None], max_new_tokens=new, do_sample=False)[0, len(p):] for p in prompts]
            made = [until_special(ids.tolist()) for ids in made]
            batched = model.generate(batch, attention_mask=mask, max_new_tokens=new, do_sample=False)[:, longest:]
            batched = [until_special(ids.tolist()) for ids in batched]
            report["generated"] = made
            checks["generate"] = made == expected["generated"]
            checks["generate_padded"] = batched == expected["generated"]


def check_tokenizer(folder, expected, checks, report):
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=expected["remote_code"])
    ids = tokenizer(expected["text"], add_special_tokens=False, split_special_tokens=True)["input_ids"]
    checks["tokenizer_ids"] = ids == expected["text_ids"]
    checks["tokenizer_decode"] = tokenizer.decode(ids, clean_up_tokenization_spaces=False) == expected["text"]
    conversation = expected["conversation"]
    rendered = tokenizer.apply_chat_template(conversation, tokenize=False)
    checks["chat_template"] = tokenizer(rendered, add_special_tokens=False)["input_ids"] == expected["conversation_ids"]
    prompt = tokenizer.apply_chat_template(conversation[:-1], tokenize=True, add_generation_prompt=True, return_dict=False)
    checks["chat_prompt"] = list(prompt) == expected["prompt_ids"]
    specials = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id]
    checks["special_tokens"] = specials == [0, 1, 2, 3]


def main():
    folder, place = sys.argv[1], sys.argv[2]
    with open(os.path.join(place, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)
    tensors = load_file(os.path.join(place, "expected.safetensors"))
    torch.manual_seed(0)
    checks, report = {}, {"transformers": transformers.__version__, "torch": torch.__version__}
    check_model(folder, expected, tensors, checks, report)
    check_tokenizer(folder, expected, checks, report)
    report["checks"] = checks
    report["passed"] = all(checks.values())
    print(json.dumps(report))
    return 0 if report["passed"] else 3


if __name__ == "__main__":
    sys.exit(main())
