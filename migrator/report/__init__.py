"""The report of a run: one dictionary built from the folded records, and its forms. Pure functions."""

from migrator.report.data import build_report
from migrator.report.markdown import to_markdown
from migrator.report.page import to_html

__all__ = ["build_report", "to_html", "to_markdown"]
