"""Findings: weaknesses in the code of products, their due dates and decisions, and secrets that leaked into code."""
