"""Models of other programs in place of a bundle: found, run as child processes in their own environments, their result taken."""
