"""Files of a result: tables, provenance and images."""
