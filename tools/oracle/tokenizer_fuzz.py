#!/usr/bin/env python3
"""Differential fuzzing of `picochat tok encode` against Hugging Face `tokenizers`, and a list of hard cases.

    pip install tokenizers==0.23.3
    python3 tools/oracle/tokenizer_fuzz.py --program build/release/bin/picochat --tokenizer tokenizer.json --seconds 600 [--text FILE...]

Each round makes some thousands of documents (random bytes as text, random code points of chosen blocks, mutated and cut
pieces of --text, whitespace runs, digits, contractions, emoji sequences, literal special strings), writes them as JSON Lines
in a random order, encodes them with a random number of threads, and compares every id. Text from random bytes is
their decoding with U+FFFD; raw invalid bytes are tools/fuzz/tokenizer_fuzz.cpp's business, since `tokenizers` takes
only text. The first round is not random: every code point alone and between letters, and the hard cases.
Exit 1 at the first difference, which is printed and kept beside --keep.
"""
import argparse
import array
import json
import os
import random
import subprocess
import sys
import tempfile
import time

import tokenizers

SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
BLOCKS = [(0, 0x7F), (0x80, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0xE7F), (0x1100, 0x11FF),
          (0x2000, 0x206F), (0x2580, 0x259F), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0xFE00, 0xFEFF), (0x1F300, 0x1FAFF), (0, 0x10FFFF)]
HARD = [
    "你好，世界！今天天气很好。", "これはテストです。カタカナとひらがな、漢字。", "مرحبا بالعالم، كيف حالك؟ ١٢٣٤", "नमस्ते दुनिया। क्या हाल है? १२३",
    "สวัสดีชาวโลก วันนี้อากาศดีมาก", "def f(x):\n\treturn {'a': [1, 2.5e-3], \"b\": x**2}  # comment\n\n\n", "👩‍👩‍👧‍👦👍🏽🇨🇭❤️‍🔥 👩🏾‍💻",
    "1234567890" * 50, "0.1.2.3e10", " " * 1000, "\t \n \r\n\r \u00a0\u3000 \u2028x", "   a   b \n\n\n c  ", "it's I'LL we've'S 'tis don'T y'all'ſ",
    "".join(SPECIAL), " ".join(SPECIAL), "a<|end|>b<bos>", "<|endoftext|>", "A" * 3000, "é" * 2000, "e\u0301" * 500, "\ufeffBOM", "\ufffd" * 9, "a\u0000b",
    "----====____" * 30, "http://example.org/a?b=c&d=%20", "ǅ ǈ ß ẞ İ ı Σς", "½ Ⅷ ₂ ² ١ 四", "\U0010FFFF\U000E0001\uFDD0",
]


def scalar(value):
    return chr(value) if not 0xD800 <= value <= 0xDFFF else "\ufffd"


def every_code_point():
    for start in range(0, 0x110000, 64):
        yield from (scalar(c) for c in range(start, start + 64) if start < 0x3000 or c % 7 == 0)
        yield " ".join(scalar(c) for c in range(start, start + 64))
        yield "".join(f"x{scalar(c)}y" for c in range(start, start + 64))
        yield "".join(f"1{scalar(c)}{scalar(c)}\n" for c in range(start, start + 64))


class Maker:
    def __init__(self, seed, texts):
        self.random = random.Random(seed)
        self.texts = texts

    def document(self):
        kind = self.random.randrange(7)
        if kind == 0:
            return self.random.randbytes(self.random.randrange(200)).decode("utf-8", "replace")
        if kind == 1:
            low, high = self.random.choice(BLOCKS)
            return "".join(scalar(self.random.randint(low, high)) for _ in range(self.random.randrange(120)))
        if kind == 2:
            blocks = [self.random.choice(BLOCKS) for _ in range(3)]
            return "".join(scalar(self.random.randint(*self.random.choice(blocks))) for _ in range(self.random.randrange(200)))
        if kind == 3:
            parts = ["'s", "'LL", "'", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "7", "42", ".", "..", "a", "Word", "é", "中", "ก", "👍🏽", "\u200d", *SPECIAL]
            return "".join(self.random.choice(parts) for _ in range(self.random.randrange(80)))
        if kind == 4:
            return self.random.choice([" ", "\n", "a", "9", "-", "中", "ا", "👩‍", "\t "]) * self.random.randrange(400)
        return self.mutated()

    # A cut of real text, its bytes changed here and there, read as text again.
    def mutated(self):
        text = self.random.choice(self.texts)
        at = self.random.randrange(len(text) + 1)
        data = bytearray(text[at:at + self.random.randrange(600)].encode())
        for _ in range(self.random.choice([0, 0, 1, 3, 10])):
            if data:
                i = self.random.randrange(len(data))
                change = self.random.randrange(3)
                if change == 0:
                    data[i] = self.random.randrange(256)
                elif change == 1:
                    del data[i:i + self.random.randrange(1, 4)]
                else:
                    data[i:i] = self.random.randbytes(self.random.randrange(1, 4))
        return data.decode("utf-8", "replace")


def our_ids(program, tokenizer, texts, threads, folder):
    rows, out = f"{folder}/rows.jsonl", f"{folder}/ids"
    with open(rows, "w", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text}, ensure_ascii=random.random() < 0.5) + "\n")
    result = subprocess.run([program, "tok", "encode", "--tokenizer", tokenizer, "--input", rows, "--out", out, "--threads", str(threads), "--json"],
                            capture_output=True, check=True, text=True)
    ids = array.array("H" if json.loads(result.stdout)["token_bytes"] == 2 else "I")
    with open(out, "rb") as file:
        ids.frombytes(file.read())
    documents, current = [], None
    for id in ids:
        if id == 1:
            current = []
        elif id == 2:
            documents.append(current)
        else:
            current.append(id)
    return documents


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--text", nargs="*", default=[])
    parser.add_argument("--keep", default="fuzz_difference.json")
    parser.add_argument("--no-cases", action="store_true", help="skip the first round")
    arguments = parser.parse_args()
    theirs = tokenizers.Tokenizer.from_file(arguments.tokenizer)
    theirs.encode_special_tokens = True
    texts = list(HARD)
    for path in arguments.text:
        with open(path, encoding="utf-8", errors="replace") as file:
            texts.append(file.read(4_000_000))
    began = time.time()
    rounds = documents = size = 0
    with tempfile.TemporaryDirectory() as folder:
        while rounds == 0 or time.time() - began < arguments.seconds:
            maker = Maker(arguments.seed * 1_000_003 + rounds, texts)
            batch = [*HARD, *every_code_point()] if rounds == 0 and not arguments.no_cases else [maker.document() for _ in range(8000)]
            # A document of nothing but white space is left out by the reader, as empty.
            batch = [text if text.strip() else "x" + text for text in batch]
            threads = maker.random.choice([1, 2, 3, 7])
            mine = our_ids(arguments.program, arguments.tokenizer, batch, threads, folder)
            expected = [e.ids for e in theirs.encode_batch(batch, add_special_tokens=False)]
            if len(mine) != len(batch):
                sys.exit(f"{len(batch)} documents went in, {len(mine)} came out")
            for text, ours, their in zip(batch, mine, expected):
                if ours != their:
                    with open(arguments.keep, "w", encoding="utf-8") as file:
                        json.dump({"text": text, "ours": ours, "theirs": their}, file)
                    sys.exit(f"ids differ for {text[:200]!r}: {ours[:20]} and {their[:20]}")
            rounds, documents, size = rounds + 1, documents + len(batch), size + sum(len(text.encode()) for text in batch)
    print(f"seed {arguments.seed}: {rounds} rounds, {documents} documents, {size / 1e6:.1f} MB, {time.time() - began:.0f} s: no difference "
          f"(tokenizers {tokenizers.__version__})")


main()
