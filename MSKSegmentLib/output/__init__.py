"""Where results go: names, files and folders that appear whole or not at all, and never at the cost of somebody's data."""
