"""The words for users in their language: one gettext catalogue for panel, page, report, lights, reasons, findings and errors."""
