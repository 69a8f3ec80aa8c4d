"""Plays an aggregator's rounds with a judge: matches, votes, budgets, ratings, and rewards made of them."""
