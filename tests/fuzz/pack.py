# SPDX-License-Identifier: Apache-2.0
"""The inputs that fuzzers found, in one file per target: a tar archive without compression, which everybody
has a program for and pack.c reads in a page of C. tar xf tests/fuzz/corpus/TARGET.tar NAME gets one out.

Each input's name is the SHA-1 of its bytes, as libFuzzer names them. The same inputs make the same file: they are
sorted by name, and there is neither a time nor an owner."""

import hashlib
import io
import os
import struct
import tarfile

BLOCK = 512
END = bytes(2 * BLOCK)
# POSIX.1-1988: name, mode, uid, gid, size, mtime, checksum, type, link, magic, user, group, major, minor, prefix.
HEADER = struct.Struct("100s 8s 8s 8s 12s 12s 8s c 100s 8s 32s 32s 8s 8s 155s 12x")
CHECKSUM = slice(148, 156)


class Broken(Exception):
    """A pack that is missing, empty, damaged, or was not written by write()."""


def name_of(data):
    return hashlib.sha1(data).hexdigest()


def encode(inputs):
    """The bytes of a pack. inputs: the bytes of each."""
    files = sorted((name_of(data), data) for data in inputs)
    return b"".join(_header(name, len(data)) + data + bytes(-len(data) % BLOCK) for name, data in files) + END


def _header(name, size):
    # Not by tarfile: what it writes into fields that nobody needs has changed between releases.
    header = bytearray(HEADER.pack(name.encode(), b"0000644", b"0000000", b"0000000", b"%011o" % size, b"%011o" % 0,
                                   b" " * 8, b"0", b"", b"ustar\x0000", b"", b"", b"", b"", b""))
    header[CHECKSUM] = b"%06o\0 " % sum(header)
    return bytes(header)


def write(path, inputs):
    """Replaces the pack as a whole, or not at all."""
    inputs = set(inputs)
    if not inputs:
        raise Broken(f"{path}: there are no inputs to pack")
    with open(path + ".new", "wb") as f:
        f.write(encode(inputs))
    os.replace(path + ".new", path)


def read(path):
    """{name: bytes} of all inputs; raises Broken."""
    try:
        with open(path, "rb") as f:
            data = f.read()
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            inputs = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
    except (OSError, tarfile.TarError) as e:
        raise Broken(f"{path}: {getattr(e, 'strerror', None) or e}") from e
    # To the byte: so no input is missing, damaged, named otherwise or out of order.
    if not inputs or encode(inputs.values()) != data:
        raise Broken(f"{path}: it is not as tests/fuzz/run --keep writes it")
    return inputs
