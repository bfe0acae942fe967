"""Environments, the pipelines that may deploy there, and every deployment: requested, evaluated, permitted,
reported.
"""
