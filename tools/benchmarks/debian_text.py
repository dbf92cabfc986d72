#!/usr/bin/env python3
"""Makes the 200 MB of mixed real text that the tokenizer's benchmarks use, from Debian's documentation packages.

    python3 tools/benchmarks/debian_text.py OUT_FOLDER        # needs apt-get and dpkg-deb of Debian 12, no root

Writes OUT_FOLDER/debian200.txt (the documents, a line end after each) and OUT_FOLDER/debian200.jsonl (one document a
line, in "text"), and checks the text's SHA-256 against the one recorded below. Packages are fetched in the versions
recorded below, unpacked into a temporary folder and deleted.

A document is a file of a package: UTF-8 text of 200 bytes to 1 MB, unpacked when it ends in .gz. HTML loses its tags;
man pages, sources and everything else stay as they are. Exact duplicates are dropped, each package gives at most 11 MB
(files in order of their SHA-256), and the documents stand in order of their SHA-256, so that any beginning of
the text is a mixture of all kinds.
"""
import argparse
import gzip
import hashlib
import html
import json
import os
import re
import subprocess
import sys
import tempfile

SHA256 = "f5f270025e94ac46c1061ac1830f487f52864fc4e59d1f31ad68cd3d8bdd92c9"
PACKAGES = """
aptitude-doc-ja=0.8.13-5 bible-kjv-text=4.38 debian-faq=11.1 debian-handbook=11.20220922 debian-reference-de=2.100
debian-reference-en=2.100 debian-reference-fr=2.100 debian-reference-ja=2.100 debian-reference-zh-cn=2.100
developers-reference-ja=12.18 fortunes-cs=2.0.9-1.1 fortunes-ru=1.52-3.1 fortunes-zh=2.98
git-doc=1:2.39.5-0+deb12u3 hunspell-ar=3.2-1.2 hunspell-th=1:7.5.0-1 installation-guide-amd64=20230508+deb12u1
libreoffice-help-el=4:7.4.7-1+deb12u14 libreoffice-help-en-us=4:7.4.7-1+deb12u14
libreoffice-help-hi=4:7.4.7-1+deb12u14 libreoffice-help-ja=4:7.4.7-1+deb12u14
libreoffice-help-ko=4:7.4.7-1+deb12u14 libreoffice-help-zh-cn=4:7.4.7-1+deb12u14
libstdc++-12-doc=12.2.0-14+deb12u1 linux-doc-6.1=6.1.192-2 maint-guide=1.2.53 manpages-de=4.18.1-1
manpages-dev=6.03-2 manpages-es=4.18.1-1 manpages-fr=4.18.1-1 manpages-ja=0.5.0.0.20221215+dfsg-1
manpages-pl=1:4.18.1-1 manpages-ru=4.18.1-1 manpages-zh=1.6.4.0-1 octave-doc=7.3.0-2 perl-doc=5.36.0-7+deb12u4
postgresql-doc-15=15.20-0+deb12u1 python3.11-doc=3.11.2-6+deb12u9 rust-doc=1.63.0+dfsg1-2 sqlite3-doc=3.40.1-2+deb12u2
""".split()
PER_PACKAGE, SMALLEST, LARGEST, TOTAL = 11_000_000, 200, 1_000_000, 200_000_000


TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.S | re.I)


def plain_text(name, data):
    """The text of a file, or nothing when it is none."""
    if name.endswith(".gz"):
        data, name = gzip.decompress(data), name[:-3]
    if len(data) < SMALLEST or b"\0" in data:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if re.search(r"\.x?html?$", name):
        text = re.sub(r"\s*\n[ \t]*\n\s*", "\n\n", html.unescape(TAGS.sub("", text)))
    return text if SMALLEST <= len(text.encode()) <= LARGEST else None


def files_of(folder):
    """Names and contents, in order of the contents' SHA-256; of equal files the first."""
    found = {}
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(root, name)
            if not os.path.islink(path) and not re.search(r"\.(js|css|json|svg|idx|dat|map|woff2?|png|jpe?g)(\.gz)?$", name):
                with open(path, "rb") as file:
                    data = file.read()
                found.setdefault(hashlib.sha256(data).digest(), (name, data))
    return [found[digest] for digest in sorted(found)]


def digest_of(text):
    return hashlib.sha256(text.encode()).digest()


def text_of_package(package, folder):
    subprocess.run(["apt-get", "-qq", "download", package], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    (deb,) = [name for name in os.listdir(folder) if name.endswith(".deb")]
    unpacked = os.path.join(folder, "unpacked")
    subprocess.run(["dpkg-deb", "-x", os.path.join(folder, deb), unpacked], check=True)
    taken, size = [], 0
    for name, data in files_of(unpacked):
        try:
            text = plain_text(name, data)
        except OSError:  # not a gzip file after all
            continue
        if not text:
            continue
        size += len(text.encode())
        if size > PER_PACKAGE:
            break
        taken.append(text)
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_folder")
    out = parser.parse_args().out_folder
    os.makedirs(out, exist_ok=True)
    texts = {}
    for package in PACKAGES:
        with tempfile.TemporaryDirectory(dir=out) as folder:
            taken = text_of_package(package, folder)
        texts.update((digest_of(text), text) for text in taken)
        print(f"{package}: {len(taken)} documents, {sum(len(text.encode()) for text in taken) / 1e6:.1f} MB", flush=True)
    size = number = 0
    whole = hashlib.sha256()
    with open(f"{out}/debian200.txt", "wb") as text_file, open(f"{out}/debian200.jsonl", "w", encoding="utf-8") as lines:
        for digest in sorted(texts):
            data = texts[digest].encode() + b"\n"
            if size + len(data) > TOTAL:
                break
            text_file.write(data)
            whole.update(data)
            lines.write(json.dumps({"text": texts[digest]}, ensure_ascii=False) + "\n")
            size, number = size + len(data), number + 1
    print(f"{number} documents, {size} bytes, SHA-256 {whole.hexdigest()}")
    if whole.hexdigest() != SHA256:
        sys.exit(f"this is not the text that was measured before (SHA-256 {SHA256}): a package has changed")


main()
