"""Who knows facts of a product besides its repository: each is listed here by hand, and asked in this order."""

from muniment.server.deployments.retrieving import Retrievals
from muniment.server.deployments.supplying import Deployments
from muniment.server.secrets.supplying import Secrets
from muniment.workflows.supplies import Supplier

SUPPLIERS: tuple[Supplier, ...] = (Deployments(), Secrets(), Retrievals())
