#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a C header with an array of a file's bytes: embed.py INPUT OUTPUT NAME."""
import sys

source, target, name = sys.argv[1:]
with open(source, "rb") as f:
    data = f.read()
rows = [", ".join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24)]
with open(target, "w", encoding="ascii") as f:
    f.write("static const unsigned char %s[] = {\n    %s};\n" % (name, ",\n    ".join(rows)))
