"""A report for people from a result folder: one page for the surgeon, a part for every structure, the facts of the run."""

from .writing import ReportRequest, write_report_files

__all__ = ["ReportRequest", "write_report_files"]
