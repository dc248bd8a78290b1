"""A node beside a PACS: receives CT, segments it, and sends results back into the study; see `Docs/admin/node.md`."""
