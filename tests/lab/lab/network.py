# SPDX-License-Identifier: Apache-2.0
"""The network of a lab: a bridge in a namespace of its own, one more namespace for each host.

The lab has nothing in the machine's own network namespace, so it can touch neither its addresses nor
its firewall, and two labs may use the same addresses.
"""

import os

from .shell import run

PREFIX = "10.77.0"


class Network:
    def __init__(self, lab):
        self.bridge_ns = f"tenure-lab-{lab}"
        self.lab = lab

    def create(self):
        run(["ip", "netns", "add", self.bridge_ns])
        run(["ip", "-n", self.bridge_ns, "link", "add", "br0", "type", "bridge"])
        run(["ip", "-n", self.bridge_ns, "link", "set", "br0", "up"])

    def namespace(self, host):
        return f"{self.bridge_ns}-{host}"

    def attach(self, host, number):
        """A namespace for a host, with its end of a cable named host0. Returns its address."""
        ns, address = self.namespace(host), f"{PREFIX}.{number}"
        run(["ip", "netns", "add", ns])
        run(["ip", "-n", self.bridge_ns, "link", "add", f"to-{host}", "type", "veth",
             "peer", "name", "host0", "netns", ns])
        run(["ip", "-n", self.bridge_ns, "link", "set", f"to-{host}", "master", "br0", "up"])
        run(["ip", "-n", ns, "link", "set", "lo", "up"])
        run(["ip", "-n", ns, "addr", "add", f"{address}/24", "dev", "host0"])
        run(["ip", "-n", ns, "link", "set", "host0", "up"])
        return address

    def cut_clean(self, host):
        """Unplugs the cable: both ends notice."""
        run(["ip", "-n", self.bridge_ns, "link", "set", f"to-{host}", "down"])

    def cut_half_open(self, host):
        """Packets vanish in both directions; the link stays up, so neither end notices."""
        self._drop(f"cut-{host}", f'iifname "to-{host}" drop', f'oifname "to-{host}" drop')

    def cut_one_way(self, host, direction):
        """Packets "from" the host vanish, or those "to" it; the others arrive."""
        way = {"from": "iifname", "to": "oifname"}[direction]
        self._drop(f"cut-{host}", f'{way} "to-{host}" drop')

    def divide(self, some, others):
        """No packet gets from one of these hosts to one of those, nor back."""
        ports = [", ".join(f'"to-{h}"' for h in side) for side in (some, others)]
        self._drop("divided", *(f"iifname {{ {a} }} oifname {{ {b} }} drop"
                                for a, b in (ports, reversed(ports))))

    def unite(self):
        run(["ip", "netns", "exec", self.bridge_ns, "nft", "delete", "table", "bridge", "divided"],
            check=False)

    def is_divided(self):
        return run(["ip", "netns", "exec", self.bridge_ns, "nft", "list", "table", "bridge",
                    "divided"], check=False).ok

    def _drop(self, table, *rules):
        rules = "\n        ".join(rules)
        run(["ip", "netns", "exec", self.bridge_ns, "nft", "-f", "-"], stdin=f"""
table bridge {table} {{
    chain forward {{
        type filter hook forward priority 0; policy accept;
        {rules}
    }}
}}
""")

    def heal(self, host):
        run(["ip", "-n", self.bridge_ns, "link", "set", f"to-{host}", "up"])
        run(["ip", "netns", "exec", self.bridge_ns, "nft", "delete", "table", "bridge",
             f"cut-{host}"], check=False)

    def is_cut(self, host):
        """By the kernel's state, not by what was done."""
        link = run(["ip", "-n", self.bridge_ns, "-o", "link", "show", f"to-{host}"]).out
        table = run(["ip", "netns", "exec", self.bridge_ns, "nft", "list", "table", "bridge",
                     f"cut-{host}"], check=False)
        return "state DOWN" in link or table.ok

    def remove(self):
        """Also for an earlier lab of this name. The virtual cables are removed with the namespaces."""
        for ns in sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else []:
            if ns == self.bridge_ns or ns.startswith(self.bridge_ns + "-"):
                run(["ip", "netns", "del", ns], check=False)
