# SPDX-License-Identifier: Apache-2.0
"""Real hosts on one machine, and the witness that shows which host ran the unit when. See README.md."""

from . import clock
from .build import build
from .lab import Lab
from .platforms import PLATFORMS, platform
from .shell import LabError, wait_for
from .timeline import Timeline
from .witness import Testimony

__all__ = ["Lab", "LabError", "PLATFORMS", "Testimony", "Timeline", "build", "clock", "platform",
           "wait_for"]
