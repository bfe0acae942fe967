"""Confirmation process: shows one request, and takes one signature over it. Nobody signs in there."""
