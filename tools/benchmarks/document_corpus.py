#!/usr/bin/env python3
"""Makes a large corpus out of documentation that Debian packages carry, for tests of preflight at size.

  apt-get download linux-doc-6.1 git-doc perl-doc ...; for f in *.deb; do dpkg -x $f docs; done
  document_corpus.py real       --docs docs --out real/documents                    # every file is a document
  document_corpus.py recombined --docs docs --out big/documents --bytes 9000000000  # real sentences, drawn at random

Both write shard-NNNNNN.jsonl (--zstd: .jsonl.zst) and, beside the folder, an hf_import_report.json with the keys
that an import writes, so that the pack has a licence, an origin and digests. The recombined corpus has as many
distinct documents as asked for; two of them share a sentence only by chance. The same arguments give the same bytes.
--docs also takes a folder that `real` wrote.
"""
import argparse, gzip, hashlib, html.parser, json, os, pathlib, random, re, subprocess, sys

SKIPPED = {"script", "style", "head", "nav"}
BLOCKS = {"p", "div", "li", "tr", "br", "h1", "h2", "h3", "h4", "h5", "dt", "dd", "pre", "table", "section"}


class Text(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts, self.depth = [], 0

    def handle_starttag(self, tag, attrs):
        self.depth += tag in SKIPPED
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        self.depth -= tag in SKIPPED and self.depth > 0
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.depth:
            self.parts.append(data)


def read_text(path):
    raw = path.read_bytes()
    name = path.name
    if name.endswith(".gz"):
        try:
            raw = gzip.decompress(raw)
        except OSError:
            return ""
        name = name[:-3]
    if b"\0" in raw[:4096]:
        return ""
    text = raw.decode("utf-8", "replace")
    if name.endswith((".html", ".htm")):
        parser = Text()
        parser.feed(text)
        text = "".join(parser.parts)
    elif re.search(r"\.[1-8][a-z]*$", name):  # a manual page: drop the macros, keep the prose
        text = "\n".join(re.sub(r"\\f[A-Z]|\\&|\\-", lambda m: "-" if m[0] == "\\-" else "", line) for line in text.split("\n") if not line.startswith((".", "'")))
    elif not name.endswith((".txt", ".rst", ".md", ".pod")):
        return ""
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r"\n\s*\n+", "\n\n", text).strip()


def documents(folder):
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.suffix == ".jsonl":  # what `real` wrote: no need to read packages twice
            for row in map(json.loads, path.open(encoding="utf-8")):
                yield row["id"], row["text"]
        elif path.is_file() and not path.is_symlink():
            text = read_text(path)
            if len(text) >= 500:
                yield str(path.relative_to(folder)), text


def sentences(folder):
    seen = {}
    for _, text in documents(folder):
        for paragraph in text.split("\n\n"):
            paragraph = " ".join(paragraph.split())
            for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", paragraph):
                if 40 <= len(sentence) <= 400 and sentence[0].isupper() and sentence[-1] in ".!?" and sum(c.isalpha() or c == " " for c in sentence) > 0.85 * len(sentence):
                    seen[sentence] = None
    return list(seen)


class Shards:
    def __init__(self, out, rows, zstd):
        self.out, self.rows, self.zstd = pathlib.Path(out), rows, zstd
        self.out.mkdir(parents=True, exist_ok=True)
        for old in self.out.glob("shard-*.jsonl*"):
            old.unlink()
        self.lines, self.files, self.documents, self.characters = [], [], 0, 0

    def add(self, identity, text):
        self.lines.append(json.dumps({"text": text, "id": identity}, ensure_ascii=False))
        self.documents += 1
        self.characters += len(text)
        if len(self.lines) == self.rows:
            self.flush()

    def flush(self):
        if not self.lines:
            return
        data = ("\n".join(self.lines) + "\n").encode()
        path = self.out / f"shard-{len(self.files):06d}.jsonl"
        if self.zstd:
            path = path.with_suffix(".jsonl.zst")
            data = subprocess.run(["zstd", "-q", "-3", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
        path.write_bytes(data)
        self.files.append({"path": path.name, "num_documents": len(self.lines), "sha256": hashlib.sha256(data).hexdigest()})
        self.lines = []

    def report(self, dataset, revision, licence, skipped=0):
        self.flush()
        report = {"dataset": dataset, "config_name": None, "split": "train", "text_column": "text",
                  "source": {"kind": "hub", "license": licence, "commit": revision},
                  "documents_dir": "documents", "document_files_written": len(self.files), "rows_seen": self.documents + skipped, "rows_written": self.documents,
                  "rows_skipped": skipped, "characters_written": self.characters, "document_files": self.files}
        (self.out.parent / "hf_import_report.json").write_text(json.dumps(report, indent=1) + "\n")
        print(f"{self.documents} documents, {self.characters} characters, {len(self.files)} files in {self.out}")


def recombine(pool, shards, wanted, seed):
    """Documents of 4 to 40 sentences, in paragraphs of 2 to 6."""
    rng = random.Random(seed)
    written = number = 0
    while written < wanted:
        drawn = rng.choices(pool, k=100_000)
        at = 0
        while at + 40 <= len(drawn):
            count = rng.randint(4, 40)
            part, at = drawn[at:at + count], at + count
            paragraphs = []
            while part:
                step = rng.randint(2, 6)
                paragraphs.append(" ".join(part[:step]))
                part = part[step:]
            text = "\n".join(paragraphs)
            shards.add(f"d{seed}-{number}", text)
            number += 1
            written += len(text)
            if written >= wanted:
                break


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["real", "recombined"])
    parser.add_argument("--docs", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--bytes", type=float, default=1e8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard-rows", type=int, default=1000)
    parser.add_argument("--zstd", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="real: take every n-th document, --seed says which")
    args = parser.parse_args()
    shards = Shards(args.out, args.shard_rows, args.zstd)
    if args.mode == "real":
        for i, (name, text) in enumerate(documents(args.docs)):
            if i % args.every == args.seed % args.every:
                shards.add(name, text)
    else:
        pool = sentences(args.docs)
        print(f"{len(pool)} sentences, {sum(map(len, pool))} characters", file=sys.stderr)
        recombine(pool, shards, args.bytes, args.seed)
    shards.report("debian/documentation", hashlib.sha256(repr((args.mode, args.seed, args.bytes)).encode()).hexdigest()[:40], "as in each package's copyright file")


if __name__ == "__main__":
    main()
