"""What is scraped: targets, fetching, and the exposition format."""
