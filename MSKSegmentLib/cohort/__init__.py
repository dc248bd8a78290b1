"""Many scans: what is found, run on this computer or a cluster, resumed, and gathered into tables and a report."""
