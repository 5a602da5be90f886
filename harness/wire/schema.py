"""JSON schemas of the wire, made from the records: ``python -m harness.wire.schema [FOLDER]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.core.comparison import Comparison
from harness.core.events import EVENT_ADAPTER
from harness.core.jobs import Job
from harness.core.report import RunReport
from harness.wire.strict_json import write_text

SCHEMA_FOLDER = Path(__file__).parent / "schema"


def schemas() -> dict[str, str]:
    """File name to schema text: ``job.json``, one line of ``events.jsonl``, and what ``--json`` prints."""
    documents = {
        "job.schema.json": Job.model_json_schema(),
        "event.schema.json": EVENT_ADAPTER.json_schema(),
        "report.schema.json": RunReport.model_json_schema(mode="serialization"),
        "comparison.schema.json": Comparison.model_json_schema(mode="serialization"),
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: json.dumps(dialect | document, indent=2) + "\n" for name, document in documents.items()}


def main(folder: Path = SCHEMA_FOLDER) -> None:
    """Write the schemas into ``folder``."""
    for name, text in schemas().items():
        write_text(folder / name, text)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
