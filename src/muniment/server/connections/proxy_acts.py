"""Act on the proxy of a connection: requests to the forge and git go through it."""

from typing import Annotated, ClassVar, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.errors import HttpError, ParseError
from muniment.http import proxies
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.connections.connection_acts import ConnectionAct
from muniment.server.job_queue import enqueue


class SetConnectionProxy(ConnectionAct, frozen=True):
    """Set the proxy of a connection: an address, `none` for a direct connection, "" for the service's own proxy.

    The address has no name and password: pages show it, and the record of the act is permanent.
    """

    title: ClassVar[Label] = gettext_lazy("Set proxy")

    proxy: Annotated[
        str,
        Text(
            label=gettext_lazy("Proxy"),
            hint=gettext_lazy(
                "For example, http://proxy.example.com:3128. Empty: as HTTPS_PROXY of the service says. none: no proxy."
            ),
            most=300,
            monospace=True,
        ),
    ] = ""

    def normalise_fields(self) -> Self:
        """Act with the address in its stored form. Raises ParseError for one that is not that of a proxy."""
        return structs.replace(self, proxy=read_proxy(self.proxy))

    def describe_act(self) -> str:
        """The connection and its proxy."""
        details = {"connection": self.connection, "proxy": self.proxy}
        if not self.proxy:
            return _("reach %(connection)s through the proxy of the service") % details
        if self.proxy == proxies.NO_PROXY:
            return _("reach %(connection)s without a proxy") % details
        return _("reach %(connection)s through the proxy %(proxy)s") % details

    def carry_out(self, context: ActContext) -> None:
        """Store the proxy, and have the connection tried at once."""
        row = self.load_connection()
        row.proxy = self.proxy
        row.save(update_fields=["proxy"])
        if row.credential_set_at is not None:
            enqueue("list-repositories", connection=row.pk)


def read_proxy(text: str) -> str:
    """The setting as it is stored: "", `none`, or `http://host:port`. Raises ParseError, which does not repeat it."""
    if text in ("", proxies.NO_PROXY):
        return text
    try:
        proxy = proxies.parse_proxy(text)
    except HttpError:
        raise ParseError(
            InputCode.MALFORMED,
            _("It is not the address of a proxy."),
            _("Write it like http://proxy.example.com:3128, none, or nothing."),
            "proxy",
        ) from None
    if proxy.authorization:
        raise ParseError(
            InputCode.MALFORMED,
            _("It has a name or a password in it, which pages and the record would show."),
            _("Leave them out here. A proxy that asks for them is set in HTTPS_PROXY of the service."),
            "proxy",
        )
    return proxy.proxy_url
