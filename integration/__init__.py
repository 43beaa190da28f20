"""Tests against the real stack."""
