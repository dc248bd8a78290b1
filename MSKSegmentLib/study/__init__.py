"""The statistics of Soufi et al. 2025 on evaluations of one's own: tests, agreement, failure detection, tables and figures."""
