"""Prints the trial of a file: `sendmart sources test` and `sendmart check`.

Not here: the trial itself (`warehouse.ingest.trial`).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict

from models.masking import sanitize
from orchestration.cli.output.console import console
from orchestration.wording import counted
from warehouse.ingest.trial import Trial

MAX_RAW_CHARACTERS = 500
MAX_REASONS = 20


def print_trials(trials: Iterable[Trial]) -> None:
    """Prints of each log the counts, the first accepted rows, the first faults, and how many there are of each reason."""
    for trial in trials:
        console.print()
        console.print(_summary(trial))
        if trial.unknown_columns:
            console.print(f"  unknown columns, ignored: {', '.join(trial.unknown_columns)}")
        if trial.assumed_file_date:
            console.print(
                f"  file_date is today, {trial.assumed_file_date}: the path of the file has no log date of the source. To test"
                " with another, copy the file to a path that fits files"
            )
        if trial.records and trial.not_selected == trial.records:
            console.print("  no record is selected: if that is a surprise, see where in the mapping")
        if trial.refusal:
            continue
        for sample in trial.samples:
            console.print(f"  record {sample.row_number}")
            console.print(f"    raw     {_line(sample.raw_row)}")
            values = ", ".join(f"{name} = {_line(value)}" for name, value in sample.values.items())
            console.print(f"    {trial.log}  {values}")
        for fault in trial.faults:
            console.print(f"  record {fault.row_number} rejected")
            console.print(f"    raw     {_line(fault.raw_row)}")
            for reason in fault.reasons:
                console.print(f"    {_line(reason)}")
        if more := trial.rejected - len(trial.faults):
            console.print(f"  … and {counted(more, 'more rejected record')}. Of all:")
            for reason, number in trial.reasons[:MAX_REASONS]:
                console.print(f"    {number:,} {_line(reason)}")


def _summary(trial: Trial) -> str:
    if trial.refusal:
        return f"{trial.log}: the file is refused: {trial.refusal}"
    counts = f"{trial.accepted:,} accepted, {trial.rejected:,} rejected"
    if trial.not_selected:
        counts += f", {trial.not_selected:,} not selected"
    return f"{trial.log}: {counted(trial.records, 'record')}: {counts}"


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_RAW_CHARACTERS else f"{line[:MAX_RAW_CHARACTERS]}…"


def trials_as_json(trials: Iterable[Trial]) -> str:
    """The trials as JSON, phone numbers masked: by log, the counts, reasons with their counts, first faults and first rows."""
    content = [
        {
            "log": trial.log,
            "refusal": trial.refusal,
            "records": trial.records,
            "accepted": trial.accepted,
            "rejected": trial.rejected,
            "not_selected": trial.not_selected,
            "unknown_columns": trial.unknown_columns,
            "assumed_file_date": trial.assumed_file_date and trial.assumed_file_date.isoformat(),
            "reasons": dict(trial.reasons),
            "faults": [asdict(fault) for fault in trial.faults],
            "rows": [asdict(sample) for sample in trial.samples],
        }
        for trial in trials
    ]
    return json.dumps(_sanitized(content), indent=1, ensure_ascii=False)


def _sanitized(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sanitized(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sanitized(item) for item in value]
    return sanitize(value) if isinstance(value, str) else value
