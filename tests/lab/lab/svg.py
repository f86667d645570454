# SPDX-License-Identifier: Apache-2.0
"""The part of SVG that a diagram needs. Text stays text, and the same calls give the same bytes."""

from xml.sax.saxutils import escape, quoteattr

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def number(value):
    """A tenth of a pixel is precise enough, and 3 is shorter than 3.0."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text_width(text, size, bold=False):
    """The approximate width of a text, because fonts differ between machines."""
    narrow = sum(c in "iIl.,:;'|!()[]/ tfj" for c in text)
    wide = sum(c in "mMwWGOQ%@→" or c.isupper() for c in text)
    return size * (0.6 * len(text) - 0.22 * narrow + 0.16 * wide) * (1.13 if bold else 1)


class Svg:
    """A drawing whose width is known, and whose height is given at the end."""

    def __init__(self, width, title, description):
        self.width, self.title, self.description = width, title, description
        self._defs, self._body = [], []

    def element(self, name, text=None, **attributes):
        """x1=3, stroke_width=2 …; attributes with None are omitted."""
        self._body.append(_element(name, text, attributes))

    def rect(self, x, y, width, height, fill, **more):
        self.element("rect", x=x, y=y, width=width, height=height, fill=fill, **more)

    def line(self, x1, y1, x2, y2, stroke, **more):
        self.element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, **more)

    def text(self, x, y, text, size=11, fill="#1f2328", **more):
        self.element("text", text, x=x, y=y, font_size=size, fill=fill, **more)

    def hatch(self, name, ground, stroke, step=6, width=1.5):
        """A pattern of slanting lines; fill="url(#name)" uses it."""
        inner = _element("rect", None, {"width": step, "height": step, "fill": ground}) + _element(
            "line", None, {"x1": 0, "y1": 0, "x2": 0, "y2": step, "stroke": stroke, "stroke_width": width})
        self._defs.append(f'<pattern id="{name}" width="{step}" height="{step}" patternUnits="userSpaceOnUse" '
                          f'patternTransform="rotate(45)">{inner}</pattern>')

    def finish(self, height):
        w, h = self.width, number(height)
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" '
            f'font-family="{FONT}">',
            f"<title>{escape(self.title)}</title>", f"<desc>{escape(self.description)}</desc>",
            "<defs>", *self._defs, "</defs>",
            # A background of its own, so that it can be read on a dark page as well.
            f'<rect width="{w}" height="{h}" rx="8" fill="#ffffff"/>',
            f'<rect x="0.5" y="0.5" width="{w - 1}" height="{number(height - 1)}" rx="7.5" fill="none" stroke="#d0d7de"/>',
            *self._body, "</svg>", ""])


def _element(name, text, attributes):
    said = "".join(f" {k.replace('_', '-')}={quoteattr(number(v) if isinstance(v, (int, float)) else v)}"
                   for k, v in attributes.items() if v is not None)
    return f"<{name}{said}/>" if text is None else f"<{name}{said}>{escape(text)}</{name}>"
