"""Exports of published marts as CSV and XLSX, and which campaigns changed since the last export."""
