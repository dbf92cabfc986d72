#!/usr/bin/env python3
"""Compares `picochat eval external` with lm-evaluation-harness on the same model and rows, offline.

  lm_eval_check.py --export DIR --report eval_report.json --rows FILE.jsonl --layout LAYOUT [--tolerance 1e-3]
                   [--server http://127.0.0.1:8000]

With --server the harness asks a running `picochat serve` (its model type local-completions) and takes only the tokenizer from --export.
--export: what `picochat export hf` wrote for the checkpoint (float32); --report: what `picochat eval external` wrote; --rows:
the benchmark as JSON Lines, in the hub's layout (for MMLU: rows of one subject). Prints the largest difference of any choice's
log-likelihood, both accuracies and the rows that differ; exits with 1 above the tolerance or with more than two differing rows.
Needs lm_eval, transformers, torch.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

# The harness's own task files; only where the rows come from is replaced.
TASKS = {
    "arc": "arc/arc_easy.yaml",
    "mmlu": "mmlu/default/mmlu_%s.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "piqa": "piqa/piqa.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "boolq": "super_glue/boolq/default.yaml",
    "winogrande": "winogrande/default.yaml",
}


def tokenizer_with_bos(export, folder):
    """The exported tokenizer adds no <bos> by itself, and the harness's API models leave that to the tokenizer."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(export)
    bos = tokenizer.bos_token
    tokenizer._tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.bos_token_id)])
    tokenizer.save_pretrained(folder)
    return str(folder)


def model_and_args(export, server, folder):
    if not server:
        return "hf", {"pretrained": str(export), "dtype": "float32", "trust_remote_code": True, "add_bos_token": True}
    context = json.loads(pathlib.Path(export, "config.json").read_text())["max_position_embeddings"]
    return "local-completions", {
        "base_url": server.rstrip("/") + "/v1/completions",
        "model": "picochat",
        "tokenizer": tokenizer_with_bos(export, pathlib.Path(folder, "tokenizer")),
        "tokenizer_backend": "huggingface",
        "trust_remote_code": True,
        "add_bos_token": True,
        "max_length": context,
        "num_concurrent": 8,
    }


def harness(export, rows, layout, subject, server):
    import lm_eval
    from lm_eval.tasks import TaskManager

    with tempfile.TemporaryDirectory() as folder:
        own = TASKS[layout] % subject if layout == "mmlu" else TASKS[layout]
        task = {
            "include": str(pathlib.Path(lm_eval.__file__).parent / "tasks" / own),
            "task": "picochat_check",
            "tag": None,
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": {"validation": str(pathlib.Path(rows).resolve())}},
            "training_split": None,
            "validation_split": None,
            "test_split": "validation",
            "fewshot_split": None,
        }
        pathlib.Path(folder, "picochat_check.yaml").write_text(json.dumps(task))  # JSON is YAML
        model, model_args = model_and_args(export, server, folder)
        results = lm_eval.simple_evaluate(
            model=model,
            model_args=model_args,
            tasks=["picochat_check"],
            num_fewshot=0,
            task_manager=TaskManager(include_path=folder, include_defaults=False),
            device=None if server else "cpu",
            batch_size=8,
            log_samples=True,
            bootstrap_iters=0,
        )
    samples = sorted(results["samples"]["picochat_check"], key=lambda s: s["doc_id"])
    scores = results["results"]["picochat_check"]
    return [[float(r[0][0]) for r in s["resps"]] for s in samples], scores["acc,none"], scores.get("acc_norm,none")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export", required=True)
    parser.add_argument("--report", required=True)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--layout", choices=TASKS, required=True)
    parser.add_argument("--server", help="address of a running picochat serve")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    args = parser.parse_args()

    report = json.loads(pathlib.Path(args.report).read_text())
    examples = sorted(report["examples"], key=lambda e: e["line"])
    subject = examples[0]["subject"]
    theirs, acc, acc_norm = harness(args.export, args.rows, args.layout, subject, args.server)
    if len(theirs) != len(examples):
        sys.exit(f"{len(theirs)} rows there, {len(examples)} here")

    worst, differing = 0.0, 0
    for example, other in zip(examples, theirs):
        ours = example["choice_logprobs"]
        worst = max(worst, *(abs(a - b) for a, b in zip(ours, other)))
        if max(abs(a - b) for a, b in zip(ours, other)) > args.tolerance:
            print(f"line {example['line']}: {ours} here, {other} there", file=sys.stderr)
        differing += ours.index(max(ours)) != other.index(max(other))
    summary = report["summary"]
    print(f"rows {len(examples)}, choices {sum(len(o) for o in theirs)}")
    print(f"largest difference of a log-likelihood: {worst:.2e}")
    print(f"acc: {summary['acc']:.6f} here, {acc:.6f} there")
    if acc_norm is not None:
        print(f"acc_norm: {summary['acc_norm']:.6f} here, {acc_norm:.6f} there")
    print(f"rows whose likeliest choice differs: {differing}")
    sys.exit(1 if worst > args.tolerance or differing > 2 else 0)


if __name__ == "__main__":
    main()
