"""Nested merging: a tree of small merges, from experts in the leaves to one model of all of them."""
