#!/usr/bin/env python3
"""Writes what Hugging Face's `tokenizers` says about small texts, for tests/tokenizer:

    tests/tokenizer/data/hf_bpe.json         texts, the merges its trainer learns from them, their ids
    tests/tokenizer/data/split_hashes.txt    where its engine cuts around every code point

    pip install tokenizers==0.23.3
    python3 tools/oracle/tokenizer_fixtures.py tests/tokenizer/data
"""
import json
import os
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

PATTERN = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
VOCAB = 700

TEXTS = [
    "A small model learns from small texts. The miller's daughter didn't say they'd come; she said they're here, "
    "we've seen them, I'm sure, and he'll wait. IT'S LOUD: WE'LL, THEY'RE, YOU'VE, I'D. '\u017fhe' is written with a long s: it'\u017f old.",
    "Counting: 1 2 3, 10 20 30, 1234567890, 3.14159, 1e-9, 50% of 1,000,000 is 500,000. In 1999 and 2024 the 2nd and 3rd trains left at 07:45.",
    "def merge(pairs, counts):\n    \"\"\"Returns the best pair.\"\"\"\n    best = None\n    for pair in pairs:\n"
    "        if best is None or counts[pair] > counts[best]:\n            best = pair\n    return best\n\n\nif __name__ == '__main__':\n\tprint(merge({}, {}))\n",
    "#include <vector>\nint main() {\n  std::vector<int> v{1, 2, 3};\n  for (auto x : v) { std::printf(\"%d\\n\", x); }\n  return v.size() == 3 ? 0 : 1;\n}\r\n",
    "   leading spaces,   inner   runs,\ttabs\t\tand\u00a0no-break\u00a0\u00a0spaces, \u2003em spaces \u3000wide, trailing   ",
    "lines\n\nwith\r\n\r\nall \n \n kinds\r of \n\t\n ends \u2028 and \u2029 separators\x85next\x0b\x0cfeed\n   \n",
    "\u5c0f\u6a21\u578b\u4ece\u5c0f\u6587\u672c\u4e2d\u5b66\u4e60\u3002\u4eca\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u53bb\u516c\u56ed\u6563\u6b65\u3002\u5979\u6709\u4e09\u672c\u4e66\uff0c\u4e24\u652f\u7b14\u3002\u4f60\u597d\uff0c\u4e16\u754c\uff01",
    "\u5c0f\u3055\u306a\u30e2\u30c7\u30eb\u306f\u5c0f\u3055\u306a\u30c6\u30ad\u30b9\u30c8\u304b\u3089\u5b66\u3073\u307e\u3059\u3002\u4eca\u65e5\u306f\u3044\u3044\u5929\u6c17\u3067\u3059\u306d\u3002\uff11\uff12\uff13\u5186",
    "\uc791\uc740 \ubaa8\ub378\uc740 \uc791\uc740 \uae00\uc5d0\uc11c \ubc30\uc6b4\ub2e4. \uc548\ub155\ud558\uc138\uc694, \uc138\uacc4!",
    "\u0627\u0644\u0646\u0645\u0648\u0630\u062c \u0627\u0644\u0635\u063a\u064a\u0631 \u064a\u062a\u0639\u0644\u0645 \u0645\u0646 \u0646\u0635\u0648\u0635 \u0635\u063a\u064a\u0631\u0629. \u0645\u0631\u062d\u0628\u0627\u064b \u0628\u0627\u0644\u0639\u0627\u0644\u0645\u060c \u0627\u0644\u0633\u0627\u0639\u0629 \u0660\u0661:\u0663\u0660.",
    "\u091b\u094b\u091f\u093e \u092e\u0949\u0921\u0932 \u091b\u094b\u091f\u0947 \u092a\u093e\u0920 \u0938\u0947 \u0938\u0940\u0916\u0924\u093e \u0939\u0948\u0964 \u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e, \u0967\u0968\u0969 \u0915\u093f\u0924\u093e\u092c\u0947\u0902\u0964",
    "\u0e42\u0e21\u0e40\u0e14\u0e25\u0e40\u0e25\u0e47\u0e01\u0e40\u0e23\u0e35\u0e22\u0e19\u0e23\u0e39\u0e49\u0e08\u0e32\u0e01\u0e02\u0e49\u0e2d\u0e04\u0e27\u0e32\u0e21\u0e2a\u0e31\u0e49\u0e19\u0e46 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "\u041c\u0430\u043b\u0435\u043d\u044c\u043a\u0430\u044f \u043c\u043e\u0434\u0435\u043b\u044c \u0443\u0447\u0438\u0442\u0441\u044f \u043d\u0430 \u043c\u0430\u043b\u0435\u043d\u044c\u043a\u0438\u0445 \u0442\u0435\u043a\u0441\u0442\u0430\u0445. \u039c\u03b9\u03ba\u03c1\u03cc \u03bc\u03bf\u03bd\u03c4\u03ad\u03bb\u03bf. \u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd.",
    "na\u00efve caf\u00e9 d\u00e9j\u00e0 vu, decomposed: e\u0301a\u0300 n\u0303, Stra\u00dfe, \ufb01ne \ufb06 ligatures, \u212b \u212a signs, x\u00b2 + y\u00b3 = \u00bd, \u2167 \u2460 \u4e03",
    "\U0001f600\U0001f603 smiles, \U0001f469\u200d\U0001f4bb codes, \U0001f468\u200d\U0001f469\u200d\U0001f467 family, \U0001f1ef\U0001f1f5\U0001f1e9\U0001f1ea flags, \U0001f44d\U0001f3fd thumbs, \u2764\ufe0f heart, 1\ufe0f\u20e3 key",
    "<|end|> and <unk> and <pad><bos>text<eos> stay text: <|system|>x<|user|>y<|assistant|>z<|end|>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa =============================== "
    "........ ---------- __________ abababababababababab xyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxy",
    "\u0000\u0001\u007f control \u200b\u200c\u200d\u200e\ufeff zero width \ue000 private \U0010ffff last \ufffd replacement \ufffe\uffff",
]


def pre_tokenizer():
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, min_frequency=1, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=[AddedToken(text, normalized=False, special=True) for text in SPECIAL])
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.encode_special_tokens = True
    return {"generator": f"tools/oracle/tokenizer_fixtures.py, tokenizers {tokenizers.__version__}", "vocab_size": VOCAB, "texts": TEXTS,
            "merges": json.loads(tokenizer.to_str())["model"]["merges"],
            "ids": [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]}


def contexts(character):
    """The code point between letters, after an apostrophe, doubled, before digits and line ends."""
    return "a" + character + "b '" + character + " " + character * 2 + "1" + character + "\n" + character + " x '" + character + character + "  " + character


def fnv(state, value):
    for shift in (0, 8):
        state = ((state ^ (value >> shift & 0xFF)) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return state


def split_hashes():
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    lines = [f"# Generated by tools/oracle/tokenizer_fixtures.py from tokenizers {tokenizers.__version__} (Unicode 16).",
             "# First code point of 4096; FNV-1a 64 over the byte offsets, as uint16, at which pieces end."]
    for first in range(0, 0x110000, 4096):
        state = 0xCBF29CE484222325
        for point in range(first, first + 4096):
            if 0xD800 <= point < 0xE000:
                continue
            text = contexts(chr(point))
            offsets = [0]
            for character in text:
                offsets.append(offsets[-1] + len(character.encode()))
            for _, (_, end) in split.pre_tokenize_str(text):
                state = fnv(state, offsets[end])
        lines.append(f"{first:06X} {state:016x}")
    return "\n".join(lines) + "\n"


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, "hf_bpe.json"), "w", encoding="utf-8") as file:
        value = bpe()
        file.write("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in value.items()) + "\n}\n")
    with open(os.path.join(folder, "split_hashes.txt"), "w", encoding="utf-8") as file:
        file.write(split_hashes())


main()
