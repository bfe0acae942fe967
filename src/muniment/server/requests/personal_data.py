"""Ends the requests that name a person."""

from muniment.server.people.waiting_requests import waiting_requests
from muniment.server.registration import ErasureRequest


def end_requests(erasure: ErasureRequest) -> None:
    """End the other requests that name a person whose erasure was approved."""
    waiting_requests().withdraw_naming(erasure.words, but=erasure.request_record)
