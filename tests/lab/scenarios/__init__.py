# SPDX-License-Identifier: Apache-2.0
"""All scenarios: importing this package declares those of every file in it."""

import importlib
import pkgutil

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
