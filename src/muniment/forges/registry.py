"""Every kind of forge. A new one is a folder with a `kind.py`, a value of `Vendor`, and a line here.

`recognise` is asked in this order. GitLab is the last, since it is what no other kind is.
"""

from collections.abc import Mapping
from types import MappingProxyType

from muniment.forges.forge_kind import ForgeKind
from muniment.forges.gitea.kind import FORGEJO_KIND, GITEA_KIND
from muniment.forges.github.kind import GITHUB_KIND
from muniment.forges.gitlab.kind import GITLAB_KIND
from muniment.forges.shapes import Vendor

FORGE_KINDS: Mapping[Vendor, ForgeKind] = MappingProxyType(
    {kind.vendor: kind for kind in (GITEA_KIND, FORGEJO_KIND, GITHUB_KIND, GITLAB_KIND)}
)
