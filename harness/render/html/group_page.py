"""The report of several devices as a page: a column for each, and a link to each one's own page."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.device_group import GroupReport
from harness.render.device_group import group_view
from harness.render.html.page import html_page


def html_group(report: GroupReport, pages: Mapping[int, str]) -> str:
    """``pages`` are the names of the devices' own pages beside this one, by the device's place from 0."""
    view = group_view(report)
    return html_page(
        "group.html",
        {
            "title": f"{view.answer.upper()}: {view.suite} on {len(view.labels)} devices",
            "view": view,
            "pages": [pages.get(index) for index in range(len(view.labels))],
        },
    )
