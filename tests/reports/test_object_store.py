"""Exports in an object store are listed and downloaded with masked numbers, like exports on a disk."""

import json
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from reports.csv_download import read_file
from reports.export_requests import exported_files
from warehouse.config.paths import DataPaths
from warehouse.storage.object_store import path_of

NAME = "skip_reasons_20260105T080000Z"
DESCRIPTION = {
    "report": "skip_reasons", "file": f"{NAME}.csv", "build_id": "b1", "exported_at": "2026-01-05T12:00:00Z", "rows": 1,
    "sha256": "0" * 64, "campaigns": ["c1", "c2"], "changed_since": None, "phone_numbers": "whole",
}  # fmt: skip


def test_exports_in_an_object_store_are_listed_and_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="exports")
        for file, content in (
            (f"{NAME}.csv", 'contact_id,mobile_number\n"p1","+447700900123"\n'),
            (f"{NAME}.json", json.dumps(DESCRIPTION)),
            ("notes.csv", "no export"),
        ):
            client.put_object(Bucket="exports", Key=f"all/skip_reasons/{file}", Body=content.encode())

        paths = DataPaths(tmp_path, exports_override=path_of("s3://exports/all"))
        (export,) = exported_files(paths, 30)
        assert (export.file, export.rows, export.campaigns, export.size) == (f"{NAME}.csv", 1, 2, 46)
        downloaded = b"".join(read_file(paths.local_copy(export.path), export.report, masks=True)).decode()
        assert downloaded == 'contact_id,mobile_number\n"p1","+44…23"\n'
        assert list(paths.transfers.iterdir()) == [], "the copy is gone"
    finally:
        server.stop()
