"""Rejected rows: their summary, the published quarantine database, and their export for repair. Key conflicts.

Not here: the rules that reject a row (`quality.admission`), how rows get into quarantine (`warehouse.ingest.load`).
"""

from warehouse.quarantine.export import NotExportable, RepairFile, export_for_repair
from warehouse.quarantine.key_conflicts import delete_damaged_index, update_key_conflicts
from warehouse.quarantine.published import LAYOUT, write_published_quarantine
from warehouse.quarantine.summary import Reason, most_frequent_reasons, reasons_by_file

__all__ = [
    "LAYOUT",
    "NotExportable",
    "Reason",
    "RepairFile",
    "delete_damaged_index",
    "export_for_repair",
    "most_frequent_reasons",
    "reasons_by_file",
    "update_key_conflicts",
    "write_published_quarantine",
]
