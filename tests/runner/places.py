# SPDX-License-Identifier: Apache-2.0
"""Paths."""

import os

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
SOURCE = os.path.dirname(TESTS)
BUILD = os.path.join(os.environ.get("TENURE_BUILD", os.path.join(SOURCE, "build-tests")), "c")
LAB = os.path.join(TESTS, "lab")
