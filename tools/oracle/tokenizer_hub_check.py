#!/usr/bin/env python3
"""Loads what `picochat tok export --tiktoken` wrote with the libraries it was written for, and compares ids.

    pip install transformers tokenizers tiktoken sentencepiece
    python3 tools/oracle/tokenizer_hub_check.py --program build/release/bin/picochat --folder EXPORTED FILE...

Checks AutoTokenizer (special tokens, chat template, ids with special strings as text), `tokenizers`, and, where the files
are there, tiktoken with the ranks and the sentencepiece library with tokenizer.model. A FILE ending in .jsonl holds one
document a line, in "text"; the first 2 MB are compared. Exit 1 when ids differ.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
HARD = ["a<|end|>b <unk> <0x41>", "tabs\tand  spaces \n\n", "naïve 你好，世界！ नमस्ते สวัสดี 👩‍💻", "x", "'s 12 345"]


def documents(paths):
    out = list(HARD)
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read(2_000_000)
        out += [json.loads(line)["text"] for line in text.splitlines()[:-1]] if path.endswith(".jsonl") else text.splitlines(True)
    return [text for text in out if text.strip()]


def our_ids(program, tokenizer, texts):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text}) + "\n")
        file.flush()
        return json.loads(subprocess.run([program, "tok", "encode", "--tokenizer", tokenizer, "--input", file.name, "--json"], capture_output=True, check=True).stdout)


good = True


def compare(name, texts, mine, theirs):
    global good
    wrong = [i for i, (a, b) in enumerate(zip(mine, theirs)) if list(a) != list(b)]
    print(f"{name}: {len(texts)} documents, {len(wrong)} differ" + (f", first {texts[wrong[0]][:80]!r}" if wrong else ""))
    good = good and not wrong and len(mine) == len(theirs)


def check_chat(tokenizer):
    for name, token in (("pad", "<pad>"), ("bos", "<bos>"), ("eos", "<eos>"), ("unk", "<unk>")):
        assert getattr(tokenizer, name + "_token") == token and getattr(tokenizer, name + "_token_id") == SPECIAL.index(token), name
    turns = [{"role": "user", "content": "What is 7+5?"}, {"role": "assistant", "content": "12"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    assert text == "<bos><|user|>What is 7+5?<|end|><|assistant|>12<|end|><eos>", text
    prompt = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    assert prompt == "<bos><|user|>What is 7+5?<|end|><|assistant|>", prompt
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [i for i in ids if i < 8] == [1, 5, 7, 6, 7, 2], ids
    print("AutoTokenizer: special tokens and chat template are right")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    texts = documents(arguments.files)
    path = os.path.join(arguments.folder, "tokenizer.json")
    mine = our_ids(arguments.program, path, texts)

    import tokenizers
    fast = tokenizers.Tokenizer.from_file(path)
    fast.encode_special_tokens = True
    compare("tokenizers " + tokenizers.__version__, texts, mine, [e.ids for e in fast.encode_batch(texts, add_special_tokens=False)])

    import transformers
    auto = transformers.AutoTokenizer.from_pretrained(arguments.folder)
    check_chat(auto)
    compare("AutoTokenizer of transformers " + transformers.__version__, texts, mine,
            auto(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    ranks = os.path.join(arguments.folder, "tokenizer.tiktoken")
    if os.path.exists(ranks):
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe
        with open(path, encoding="utf-8") as file:
            pattern = json.load(file)["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        encoding = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=load_tiktoken_bpe(ranks), special_tokens={})
        compare("tiktoken " + tiktoken.__version__, texts, mine, [[id + 8 for id in encoding.encode_ordinary(text)] for text in texts])

    model = os.path.join(arguments.folder, "tokenizer.model")
    if os.path.exists(model):
        import sentencepiece
        processor = sentencepiece.SentencePieceProcessor(model_file=model)
        compare("sentencepiece " + sentencepiece.__version__, texts, mine, processor.encode(texts))
    sys.exit(0 if good else 1)


main()
