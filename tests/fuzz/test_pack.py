#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The kept inputs of the fuzzers: what is packed comes out again, byte for byte, by Python, by tar and by the program
that replays; a pack that is not whole is refused. Given that program with tests/fuzz/show.c as its target:

    test_pack.py PROGRAM
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

import pack                                                              # noqa: E402

CORPUS = os.path.join(HERE, "corpus")
SHOW = None
# Around the size of a block, and all bytes there are.
ODD = [b"", b"\0", b"a", bytes(511), b"b" * 512, b"c" * 513, bytes(range(256)) * 16]


def targets():
    said = subprocess.run([os.path.join(HERE, "run"), "--list"], check=True, capture_output=True, text=True).stdout
    return said.split()


def contents(folder):
    """{name: bytes} of the files there."""
    files = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            files[name] = f.read()
    return files


def replay(*paths):
    """(exit status, [(path as shown, bytes)], how many it says, what it complains of)."""
    p = subprocess.run([SHOW, *paths], capture_output=True, text=True, check=False)
    *shown, last = p.stdout.splitlines()
    names = [line for line in p.stderr.splitlines() if not re.search(r" is damaged at | has no inputs$|No such file", line)]
    said = [line for line in p.stderr.splitlines() if line not in names]
    return p.returncode, list(zip(names, map(bytes.fromhex, shown), strict=True)), int(last.split()[1]), said


class Corpus(unittest.TestCase):
    """As it is kept."""

    def test_each_target_has_both(self):
        self.assertEqual(sorted(os.listdir(CORPUS)), sorted(t + end for t in targets() for end in ("", ".tar")))

    def test_what_fuzzers_found_is_packed(self):
        for target in targets():
            names = os.listdir(os.path.join(CORPUS, target))
            self.assertTrue(names, target)
            self.assertEqual([n for n in names if re.fullmatch("[0-9a-f]{40}", n)], [], target)

    def test_each_input_is_replayed(self):
        for target in targets():
            folder, file = os.path.join(CORPUS, target), os.path.join(CORPUS, target + ".tar")
            expected = [(f"{folder}/{name}", data) for name, data in sorted(contents(folder).items())] + \
                [(f"{file}: {name}", data) for name, data in sorted(pack.read(file).items())]
            self.assertEqual(replay(folder, file), (0, expected, len(expected), []), target)


class Packs(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder, self.path = place.name, os.path.join(place.name, "x.tar")

    def test_same_out_as_in(self):
        pack.write(self.path, ODD)
        inputs = pack.read(self.path)
        self.assertEqual(sorted(inputs.values()), sorted(ODD))
        self.assertEqual(replay(self.path),
                         (0, [(f"{self.path}: {n}", d) for n, d in sorted(inputs.items())], len(ODD), []))

    def test_tar_opens_it(self):
        pack.write(self.path, ODD)
        there = os.path.join(self.folder, "there")
        os.mkdir(there)
        p = subprocess.run(["tar", "-xf", self.path, "-C", there], capture_output=True, text=True, check=False)
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        self.assertEqual(contents(there), pack.read(self.path))

    def test_same_inputs_same_bytes(self):
        shuffled = ODD + ODD[:3]
        random.Random(1).shuffle(shuffled)
        pack.write(self.path, shuffled)
        first = contents(self.folder)
        pack.write(self.path, pack.read(self.path).values())
        self.assertEqual(contents(self.folder), first)
        self.assertEqual(first["x.tar"], pack.encode(ODD))

    def test_nothing_is_not_packed(self):
        pack.write(self.path, ODD)
        before = contents(self.folder)
        with self.assertRaises(pack.Broken):
            pack.write(self.path, [])
        self.assertEqual(contents(self.folder), before)

    def refused(self, *packs):
        """Each of them, by Python and by the program."""
        paths = [os.path.join(self.folder, f"{i}.tar") for i in range(len(packs))]
        for i, (path, data) in enumerate(zip(paths, packs)):
            with open(path, "wb") as f:
                f.write(data)
            with self.assertRaises(pack.Broken, msg=f"the {i}th"):
                pack.read(path)
        status, _, _, said = replay(*paths)
        self.assertEqual(status, 1)
        self.assertEqual([line.partition(" ")[0] for line in said], paths)

    def test_missing(self):
        with self.assertRaises(pack.Broken):
            pack.read(self.path)
        self.assertEqual(replay(self.path), (1, [], 0, [f"{self.path}: No such file or directory"]))

    def test_one_that_is_broken_beside_one_that_is_whole(self):
        for i, data in enumerate((pack.encode([b"one"]), b"", pack.encode([b"two"]))):
            with open(os.path.join(self.folder, f"{i}.tar"), "wb") as f:
                f.write(data)
        status, shown, count, said = replay(*(os.path.join(self.folder, f"{i}.tar") for i in range(3)))
        self.assertEqual((status, [data for _, data in shown], count, len(said)), (1, [b"one", b"two"], 2, 1))

    def test_empty(self):
        self.refused(b"", pack.END)

    def test_cut_off(self):
        whole = pack.encode(ODD)
        sizes = (*range(1, len(whole), pack.BLOCK), *range(pack.BLOCK, len(whole), pack.BLOCK), len(whole) - 1)
        self.refused(*(whole[:size] for size in sizes))

    def test_something_after_its_end(self):
        self.refused(*(pack.encode(ODD) + more for more in (b"\0", bytes(pack.BLOCK), b"x" * pack.BLOCK)))

    def test_a_damaged_header(self):
        whole = pack.encode([b"one", b"two"])
        self.refused(*(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1:] for i in range(pack.BLOCK)))

    def test_a_damaged_input(self):
        # Not for what replays: whatever an input's bytes are, it can be replayed.
        whole = pack.encode([b"one", b"two"])
        with open(self.path, "wb") as f:
            f.write(whole.replace(b"one", b"One"))
        with self.assertRaises(pack.Broken):
            pack.read(self.path)

    def test_what_is_not_a_file(self):
        whole, at, packs = pack.encode([b"one"]), 156, []
        for kind in b"\0" b"12345L":
            header = bytearray(whole[:pack.BLOCK])
            header[at] = kind
            header[pack.CHECKSUM] = b" " * 8
            header[pack.CHECKSUM] = b"%06o\0 " % sum(header)
            packs.append(bytes(header) + whole[pack.BLOCK:])
        self.refused(*packs)


if __name__ == "__main__":
    SHOW = sys.argv.pop(1)
    ran = unittest.main(exit=False).result
    inputs = {t: len(os.listdir(os.path.join(CORPUS, t))) + len(pack.read(os.path.join(CORPUS, t + ".tar")))
              for t in targets()} if ran.wasSuccessful() else {}
    print(f"{ran.testsRun} tests; kept: {', '.join(f'{n} {t}' for t, n in inputs.items())}; {sum(inputs.values())} in all")
    sys.exit(not ran.wasSuccessful())
