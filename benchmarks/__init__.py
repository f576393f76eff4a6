"""Commands that measure mapmerge; each writes its raw results as JSON."""
