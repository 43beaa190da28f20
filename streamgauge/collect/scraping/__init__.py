"""Scraping: targets, fetching and the exposition format."""
