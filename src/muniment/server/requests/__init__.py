"""Requests of one person that wait for another."""
