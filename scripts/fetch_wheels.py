#!/usr/bin/env python3
"""Downloads, checks and unpacks the wheels named in dependencies.lock.

A wheel is a zip file; no Python package is installed. Downloads and the unpacked LibTorch live in
a folder shared by all checkouts of one user:

    <cache>/<wheel>              downloads, each verified by its digest before it gets this name
    <cache>/libtorch-<version>/  torch/{include,lib,share}, nvidia/*/lib, licenses/, .unpacked/<wheel>
    <cache>/arrow-<version>/     pyarrow/{include,*.so.*}, licenses/, .unpacked/<wheel>  (--groups arrow, alone)

The last line of the output is the folder that was filled. Every step ends with a rename, and the mark in .unpacked is written last: a killed run leaves
nothing that a later one would take for whole. Exit code 5: the environment (network, disk).
"""

import argparse
import dataclasses
import fcntl
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

# pip does not derive the older manylinux names from the newest one.
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 11, -1)] + ["manylinux2014_x86_64",
                                                                              "manylinux2010_x86_64"]


class SetupError(Exception):
    pass


@dataclasses.dataclass
class Wheel:
    group: str
    package: str
    version: str
    library: str
    file: str
    sha256: str


def read_lock(path):
    wheels, pending = [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fields = line.split("#")[0].split()
        if len(fields) == 5 and pending is None:
            pending = fields
        elif len(fields) == 1 and pending is not None and len(fields[0]) == 64:
            wheels.append(Wheel(*pending, fields[0]))
            pending = None
        elif fields:
            raise SetupError(f"{path}:{number}: expected 5 fields, then a line with the SHA-256")
    return wheels


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def need_space(folder, size, purpose):
    free = shutil.disk_usage(folder).free
    if free < size:
        raise SetupError(f"{purpose} needs {size / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB free.\n"
                         "Free some space, or point XDG_CACHE_HOME at a larger disk.")


def download(wheel, cache):
    """The path of the verified wheel in the cache."""
    target = cache / wheel.file
    by_hand = (f"Check the network and pip's settings (index, proxy, certificates), or put the file there by hand:\n"
               f"  {target}\n  sha256 {wheel.sha256}")
    if target.exists():
        if digest_of(target) == wheel.sha256:
            return target
        print(f"  {target.name} in the cache is damaged: fetching it again", file=sys.stderr)
        target.unlink()
    if importlib.util.find_spec("pip") is None:
        raise SetupError(f"this python3 has no pip, which fetches {wheel.package} {wheel.version}.\n"
                         f"Install it (apt-get install python3-pip), or put the file there by hand:\n  {target}\n  sha256 {wheel.sha256}")
    with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:",
                   "--disable-pip-version-check", "--python-version", "3.11", "--implementation", "cp",
                   "--abi", "cp311", "--abi", "none", "--dest", folder, f"{wheel.package}=={wheel.version}"]
        for platform in PLATFORMS:
            command += ["--platform", platform]
        # pip would answer a prompt for nobody, and its cache would hold the same bytes twice.
        result = subprocess.run(command + ["--no-input"], stdin=subprocess.DEVNULL,
                                stdout=sys.stderr if sys.stderr.isatty() else subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)
        found = sorted(pathlib.Path(folder).glob("*.whl"))
        if result.returncode != 0 or len(found) != 1:
            lines = [line for line in result.stderr.splitlines() if line.strip()]
            # pip gives the cause (a refused connection, a certificate) as a warning, the consequence as the error.
            reason = [line for line in lines if "WARNING" in line][-1:] + [line for line in lines if "ERROR" in line][-2:]
            reason = reason or lines[-3:]
            raise SetupError(f"could not download {wheel.package} {wheel.version}:\n  " + "\n  ".join(reason) +
                             "\n" + by_hand)
        actual = digest_of(found[0])
        if actual != wheel.sha256:
            raise SetupError(f"{found[0].name} is not the expected file.\n  expected sha256 {wheel.sha256}\n"
                             f"  found    sha256 {actual}\nThe package index (or something between) served other "
                             f"bytes; nothing was unpacked.\n{by_hand}")
        os.replace(found[0], target)
    return target


def wanted_member(wheel, name):
    """Where a file of the wheel goes below the folder to be filled, or None."""
    if ".dist-info/" in name:
        leaf = name.rsplit("/", 1)[1]
        return f"licenses/{wheel.package}/{leaf}" if leaf.lower().startswith(("license", "notice")) else None
    if wheel.group == "torch":
        parts = name.split("/")
        return name if parts[0] == "torch" and len(parts) > 2 and parts[1] in ("include", "lib", "share") else None
    if wheel.group == "arrow":
        return name if name.startswith(("pyarrow/include/", "pyarrow/libarrow.so.", "pyarrow/libparquet.so.")) else None
    return name if name.startswith("nvidia/") and "/lib/" in name or name.endswith("/nccl.h") else None


def unpack(wheel, archive, root):
    """Puts the wheel's files in place, whole files only."""
    (root / ".unpacked").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=root) as folder, zipfile.ZipFile(archive) as source:
        members = [(member, wanted_member(wheel, member.filename)) for member in source.infolist()
                   if not member.is_dir()]
        members = [(member, place) for member, place in members if place]
        need_space(root, sum(member.file_size for member, _ in members) + 100_000_000, f"unpacking {wheel.package}")
        for index, (member, place) in enumerate(members):
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = pathlib.Path(folder) / str(index)
            with source.open(member) as stream, open(partial, "wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
            os.replace(partial, target)
    (root / ".unpacked" / wheel.file).write_text(wheel.sha256 + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lock", type=pathlib.Path, required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--groups", nargs="+", required=True, choices=["torch", "runtime", "cuda", "arrow"])
    parser.add_argument("--toolkit-libraries", nargs="*", type=pathlib.Path, default=[],
                        help="folders of a CUDA toolkit: libraries found there are not fetched")
    arguments = parser.parse_args()
    try:
        wheels = read_lock(arguments.lock)
        group, name = ("arrow", "arrow") if arguments.groups == ["arrow"] else ("torch", "libtorch")
        version = next(wheel.version for wheel in wheels if wheel.group == group)
        root = arguments.cache / f"{name}-{version}"
        root.mkdir(parents=True, exist_ok=True)
        with open(arguments.cache / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two checkouts set up at once: the second finds all done
            for left_over in [*arguments.cache.glob(".download-*"), *root.glob(".unpack-*")]:  # of a killed run
                shutil.rmtree(left_over, ignore_errors=True)
            for wheel in wheels:
                if wheel.group not in arguments.groups or (root / ".unpacked" / wheel.file).exists():
                    continue
                if any((folder / wheel.library).exists() for folder in arguments.toolkit_libraries):
                    continue
                if wheel.group == "torch":
                    need_space(arguments.cache, 2_000_000_000, "LibTorch")
                print(f"  {wheel.package} {wheel.version}", file=sys.stderr)
                unpack(wheel, download(wheel, arguments.cache), root)
        print(root)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        sys.exit(5)
    except OSError as error:
        print(f"setup: {error.filename or arguments.cache}: {error.strerror}", file=sys.stderr)
        sys.exit(5)


if __name__ == "__main__":
    main()
