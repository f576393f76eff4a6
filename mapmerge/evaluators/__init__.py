"""Measure a merged model: one outcome for every item of an item set."""
