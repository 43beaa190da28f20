"""Authentication of users, and enforcement of the series that they may see."""
