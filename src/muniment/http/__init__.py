"""The one HTTP client: every request of Muniment to another server goes through `client.HttpClient`.

    addresses     allowed addresses, and paths below them
    authorities   trusted certificates
    proxies       selection of a proxy for a connection
    connections   sockets with a deadline, TLS, tunnels; one request and its answer
    reachable_networks   public addresses, and networks that the operator named
    bodies        bodies with a size limit, unpacked
    rate_limits   a server's rate limits, as a state that processes share
    client        all of this together: redirects, retries, reuse of connections

`dev/http_clients.py` refuses HTTP by other means.
"""
