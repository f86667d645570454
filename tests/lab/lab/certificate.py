# SPDX-License-Identifier: Apache-2.0
"""A self-signed certificate for a server of a lab."""

import tempfile

from .shell import run

# Wall clocks of hosts are stepped, and the certificate must be valid by all of them.
_FROM, _UNTIL = "20000101000000Z", "20991231235959Z"
_CONFIGURATION = """[ca]
default_ca = own
[own]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical,CA:TRUE
subjectAltName = IP:{address}
"""


def certify(name, address):
    """Returns key and certificate, as PEM."""
    with tempfile.TemporaryDirectory() as folder:
        def path(part):
            return f"{folder}/{part}"
        with open(path("configuration"), "w", encoding="ascii") as f:
            f.write(_CONFIGURATION.format(folder=folder, address=address))
        with open(path("index"), "w", encoding="ascii"):
            pass
        run(["openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-subj", f"/CN={name}", "-keyout", path("key"), "-out", path("request")])
        run(["openssl", "ca", "-batch", "-notext", "-selfsign", "-config", path("configuration"),
             "-keyfile", path("key"), "-in", path("request"), "-out", path("certificate"),
             "-startdate", _FROM, "-enddate", _UNTIL])
        with open(path("key"), encoding="ascii") as key, open(path("certificate"), encoding="ascii") as certificate:
            return key.read(), certificate.read()
