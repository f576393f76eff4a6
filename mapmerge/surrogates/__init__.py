"""Cheap stand-ins for an objective: predict the score of any merged model from the few that were measured."""
