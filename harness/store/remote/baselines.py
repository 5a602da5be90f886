"""The baselines of a store, as a folder of this machine has them."""

from __future__ import annotations

from pathlib import Path

from harness.core.report import RunReport
from harness.errors import StoreError
from harness.store.baselines import BASELINES, baseline_path
from harness.store.remote.run_store import RunStore
from harness.wire.strict_json import LARGEST_DOCUMENT_BYTES


def fetch_baselines(store: RunStore, cache: Path) -> Path:
    """A folder below ``cache`` whose baselines are those of the store now; they are read as any others.

    Raises:
        StoreError: the store cannot be reached, or one is too large to be a report.
    """
    mirror = cache / "stores" / store.place.address.key
    folder = mirror / BASELINES
    folder.mkdir(parents=True, exist_ok=True)
    there = {name: size for name, (size, _) in store.reports().items() if name.startswith(f"{BASELINES}/")}
    for path in folder.glob("*.json"):
        if f"{BASELINES}/{path.name}" not in there:
            path.unlink(missing_ok=True)
    for name, size_bytes in there.items():
        if size_bytes > LARGEST_DOCUMENT_BYTES:
            raise StoreError(
                f"{name} has {size_bytes} bytes, more than {LARGEST_DOCUMENT_BYTES}",
                where=str(store),
                next_step="Remove it there: it is no report.",
            )
        partial = mirror / f"{name}.partial"
        partial.write_bytes(store.place.read(name, 0, size_bytes))
        partial.replace(mirror / name)
    return mirror


def send_baseline(store: RunStore, name: str, report: RunReport) -> str:
    """Keep ``report`` at the store under ``name``, in place of what was there; where it stands.

    Raises:
        UsageError: that is no name.
        StoreError: the store cannot be reached or refuses.
    """
    stored = f"{BASELINES}/{baseline_path(Path(), name).name}"
    store.make()
    store.place.write(stored, (report.model_dump_json(indent=1) + "\n").encode())
    return f"{store}/{stored}"
