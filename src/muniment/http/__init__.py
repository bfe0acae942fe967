"""The one HTTP client: every request of Muniment to another server goes through `client.Client`.

    addresses     which addresses may be asked, and how a path becomes part of one
    authorities   which certificates are trusted
    proxies       which proxy a connection goes through
    connections   sockets with a deadline, TLS, tunnels; one request and its answer
    bodies        bodies with a size limit, unpacked
    rate_limits   what a server says of its rate limits, as a state that processes share
    client        all of this together: redirects, retries, reuse of connections

`dev/http_clients.py` refuses HTTP by other means.
"""
