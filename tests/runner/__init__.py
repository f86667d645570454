# SPDX-License-Identifier: Apache-2.0
"""What tests/run does, part by part."""
