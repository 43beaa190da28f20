"""Evaluates an expression at the steps of a query, from the samples or rollups that its selectors read."""
