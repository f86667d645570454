# SPDX-License-Identifier: Apache-2.0
"""Debian packages of the product: how they are made here, and what is tried with them."""
