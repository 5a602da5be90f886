"""One self-contained page: templates with autoescape, inlined styles and scripts, a policy that forbids requests."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness import __version__

_ASSETS = files("harness.render.html") / "assets"
SCRIPTS = ("page.js", "tables.js")
CHART_SCRIPTS = ("echarts.min.js", "chart_base.js")


def html_page(
    template: str,
    context: Mapping[str, Any],
    *,
    data: Mapping[str, Any] | None = None,
    scripts: Sequence[str] = (),
) -> str:
    """``template`` filled with ``context``.

    ``scripts`` are names of assets, run in order after the page's own; ``data`` is what they find as JSON. Every
    text of ``context`` is escaped.
    """
    sources = [_script(name) for name in (*SCRIPTS, *scripts)]
    return (
        _environment()
        .get_template(template)
        .render(
            context,
            policy=_content_security_policy(sources),
            styles=Markup(_asset("page.css")),
            scripts=[Markup(source) for source in sources],
            data=Markup(_json_for_html(data or {})),
            harness_version=__version__,
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("harness.render.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def _script(name: str) -> str:
    source = _asset(name)
    # The one thing that would end a script element early.
    assert "</script" not in source.lower(), name
    return f"\n{source}\n"


def _content_security_policy(scripts: Sequence[str]) -> str:
    """Nothing is fetched from anywhere; only these very scripts run; pictures are in the page itself.

    Charts position their tooltips with inline styles, so styles are allowed; they can load nothing either.
    """
    hashes = " ".join(f"'sha256-{_sha256(source)}'" for source in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(source: str) -> str:
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _json_for_html(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the element it stands in, nor open a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
