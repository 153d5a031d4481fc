"""Key conflicts in the oracle: accepted rows with one id and several contacts, skipped and repeated rows among them.

Not here: which of the rows is kept (`marts`).
"""

from collections import Counter, defaultdict

IDS = {
    "sends": ("message_id", ("contact_id", "mobile_number")),
    "clicks": ("click_id", ("contact_id",)),
    "orders": ("order_id", ("contact_id",)),
}


def key_conflicts(rows_by_log: dict[str, list[dict]]) -> list[dict]:
    """A row for each log and id with several values."""
    return [
        {"log": log, "key": key, "rows": len(values), "values": len(set(values))}
        for log in IDS
        for key, values in _values_in_conflict(log, rows_by_log[log]).items()
    ]


def conflicting_rows(rows_by_log: dict[str, list[dict]]) -> Counter[tuple[str, str]]:
    """The number of conflicting rows of each file that has any, by log and file."""
    return Counter(
        (log, row["source_file"])
        for log, (key, _) in IDS.items()
        for in_conflict in [_values_in_conflict(log, rows_by_log[log])]
        for row in rows_by_log[log]
        if row[key] in in_conflict
    )


def _values_in_conflict(log: str, rows: list[dict]) -> dict[str, list[tuple]]:
    key, columns = IDS[log]
    values: dict[str, list[tuple]] = defaultdict(list)
    for row in rows:
        values[row[key]].append(tuple(row[column] for column in columns))
    return {key: of_key for key, of_key in values.items() if len(set(of_key)) > 1}
