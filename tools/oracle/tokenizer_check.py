#!/usr/bin/env python3
"""Compares our token ids with those of the Hugging Face `tokenizers` package on given files.

    pip install tokenizers==0.23.3
    python3 tools/oracle/tokenizer_check.py --bench build/bin/tokenizer_bench --tokenizer tokenizer.json FILE...

A .jsonl file holds one document a line, in "text"; any other file is one document. Special tokens are
encoded as text on both sides. A document that is not valid UTF-8 is compared with its replacement by
U+FFFD taken out of both sides: Hugging Face takes only text. Exit 1 on the first kind of difference.

With --train VOCAB both trainers learn from the files first, and their merges are compared.
"""
import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


def documents(paths):
    out = []
    for path in paths:
        if path.endswith(".jsonl"):
            with open(path, encoding="utf-8") as lines:
                out += [json.loads(line)["text"] for line in lines if line.strip()]
        else:
            with open(path, "rb") as file:
                out.append(file.read().decode("utf-8", "ignore"))
    return out


def our_ids(bench, tokenizer, texts):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text}) + "\n")
        file.flush()
        raw = subprocess.run([bench, "ids", tokenizer, file.name], capture_output=True, check=True).stdout
    ids, at = [], 0
    while at < len(raw):
        (count,) = struct.unpack_from("<I", raw, at)
        ids.append(struct.unpack_from(f"<{count}I", raw, at + 4))
        at += 4 + 4 * count
    return ids


def compare_ids(bench, tokenizer, texts, group=2000):
    theirs = Tokenizer.from_file(tokenizer)
    theirs.encode_special_tokens = True
    total = size = different = 0
    spent = 0.0
    for start in range(0, len(texts), group):
        part = texts[start:start + group]
        ours = our_ids(bench, tokenizer, part)
        began = time.time()
        encoded = theirs.encode_batch(part, add_special_tokens=False)
        spent += time.time() - began
        assert len(ours) == len(part), "the program returned another number of documents"
        for text, mine, their in zip(part, ours, encoded):
            total += len(mine)
            size += len(text.encode())
            if list(mine) != their.ids:
                different += 1
                at = next((i for i, (a, b) in enumerate(zip(mine, their.ids)) if a != b), min(len(mine), len(their.ids)))
                if different <= 5:
                    print(f"document differs at token {at}: ours {mine[at - 3:at + 5]}, theirs {their.ids[at - 3:at + 5]}, "
                          f"text {theirs.decode(their.ids[max(0, at - 10):at + 10])!r}")
    print(f"{len(texts)} documents, {size} bytes, {total} tokens, {different} documents differ; "
          f"tokenizers {tokenizers.__version__}, {size / 1e6 / max(spent, 1e-9):.1f} MB/s")
    return different == 0


def train_theirs(texts, vocab, pattern):
    tokenizer = Tokenizer(models.BPE(byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, min_frequency=1, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=[AddedToken(text, normalized=False, special=True) for text in SPECIAL])
    began = time.time()
    tokenizer.train_from_iterator(texts, trainer)
    seconds = time.time() - began
    size = sum(len(text.encode()) for text in texts)
    print(f"their training: {seconds:.2f} s, {size / 1e6 / seconds:.1f} MB/s")
    return json.loads(tokenizer.to_str())


def compare_training(bench, tokenizer, vocab, texts):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text}) + "\n")
        file.flush()
        print(subprocess.run([bench, "train", tokenizer, str(vocab), file.name], capture_output=True, check=True, text=True).stdout, end="")
    with open(tokenizer, encoding="utf-8") as file:
        ours = json.load(file)
    pattern = ours["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    theirs = train_theirs(texts, vocab, pattern)
    mine = [tuple(m) for m in ours["model"]["merges"]]
    their = [tuple(m) for m in theirs["model"]["merges"]]
    equal = mine == their and ours["model"]["vocab"] == theirs["model"]["vocab"]
    at = next((i for i, (a, b) in enumerate(zip(mine, their)) if a != b), min(len(mine), len(their)))
    print(f"merges: ours {len(mine)}, theirs {len(their)}; " + ("all equal, vocabularies equal" if equal else f"the first difference is at rank {at}"))
    return equal


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True, help="the tokenizer_bench program")
    parser.add_argument("--tokenizer", required=True, help="tokenizer.json (written when --train is given)")
    parser.add_argument("--train", type=int, metavar="VOCAB")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    texts = documents(arguments.files)
    good = True
    if arguments.train:
        good = compare_training(arguments.bench, arguments.tokenizer, arguments.train, texts)
    good = compare_ids(arguments.bench, arguments.tokenizer, texts) and good
    sys.exit(0 if good else 1)


main()
